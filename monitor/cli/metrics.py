"""The latest value of every series on the command line, by metric, with its age."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from rich.console import Console, RenderableType
from rich.text import Text

from monitor.cli import records, tables, unmeasured, words
from monitor.cli.series import Dimensions, Series, read
from monitor.cli.tables import Line, Shape
from monitor.sample import METRICS, Distribution, Unit
from monitor.store import Store
from monitor.store.faults import name_of
from monitor.store.measured import Noted

PERCENTILES = (50, 95, 99)
NO_PERCENTILES = {f"p{percent}": "" for percent in PERCENTILES}

NUMBERS = Shape(
    ("dimensions", "value", "age"),
    numbers=frozenset({"value", "age"}),
    cut=frozenset({"dimensions"}),
    spared=(tables.TREND,),
    has_headings=False,
)
DISTRIBUTIONS = Shape(
    ("dimensions", "value", "p50", "p95", "p99", "age"),
    numbers=frozenset({"value", "p50", "p95", "p99", "age"}),
    cut=frozenset({"dimensions"}),
    spared=(tables.TREND, "p99", "p50"),
    has_headings=False,
)
PLAIN = Shape(("metric", "dimensions", "value", "p50", "p95", "p99", "age"))


@dataclass(frozen=True, slots=True)
class View:
    """The series of the metrics that were asked for, in METRICS' order, that have a sample in the time before now."""

    series: Sequence[Series]
    span_s: float
    metrics: Sequence[str]
    store: str
    failures: Sequence[Noted]


def look(store: Store, now: float, span_s: float, metrics: Sequence[str]) -> View:
    """Return what was measured of these metrics in the time before now."""
    order = list(METRICS)
    found = sorted(read(store, now, span_s, metrics), key=lambda one: (order.index(one.metric), one.dimensions))
    return View(found, span_s, metrics, name_of(store), unmeasured.failures_of(store))


def show(console: Console, view: View, now: float, *, with_trends: bool) -> None:
    """Print the series by metric on a terminal, one line each elsewhere; and what of them is not known any more."""
    if not view.series:
        asked = "any metric" if len(view.metrics) == len(METRICS) else words.some(view.metrics)
        since = words.minute(now - view.span_s, now)
        console.print(
            Text(f"No sample of {asked} since {since} in this store: {view.store}."), unmeasured.HOW, sep="\n"
        )
    elif console.is_terminal:
        _print_groups(console, view, with_trends=with_trends)
    else:
        tables.show(console, PLAIN, [_plain_line(one, view.span_s) for one in view.series], with_trends=with_trends)
    if view.series:
        console.print()
        console.print(_sum_up(view.series))
    for sentence in unmeasured.say_failures(view.failures, now):
        console.print(sentence)


def of_series(one: Series) -> records.Record:
    """Return a series' record for JSON."""
    value = one.latest.value
    return records.of(
        {
            "metric": one.metric,
            "dimensions": dict(one.dimensions),
            "unit": str(METRICS[one.metric].unit),
            "value": None if isinstance(value, Distribution) else value,
            "distribution": _figures(value) if isinstance(value, Distribution) else None,
            "at": one.latest.at,
            "age_s": one.age_s,
            "is_current": one.is_current,
        }
    )


def with_unit(value: float, unit: Unit) -> str:
    """Say a value in few figures."""
    match unit:
        case Unit.MILLISECONDS:
            is_short = value < words.TENTHS_BELOW
            return f"{words.number(value)} ms" if is_short else words.length(value / words.SECOND_MS)
        case Unit.SECONDS:
            return words.wait(value)
        case Unit.MEGABYTES:
            return words.megabytes(value)
        case Unit.PERCENT:
            return f"{words.number(value)} %"
        case Unit.COUNT:
            return words.number(value)


def _figures(value: Distribution) -> dict[str, float]:
    percentiles = PERCENTILES if value.count else ()
    return {"count": value.count, **{f"p{percent}": value.percentile(percent) for percent in percentiles}}


def _print_groups(console: Console, view: View, *, with_trends: bool) -> None:
    blocks = dict(_rendered(console, NUMBERS, view, with_trends=with_trends))
    blocks |= dict(_rendered(console, DISTRIBUTIONS, view, with_trends=with_trends))
    for number, (metric, group) in enumerate(groupby(view.series, key=lambda one: one.metric)):
        if number:
            console.print()
        heading = Text.assemble((metric, "bold"), "   ", (METRICS[metric].meaning, "dim"))
        console.print(heading, no_wrap=True, overflow="ellipsis")
        tables.print_lines(console, [blocks[metric, one.dimensions] for one in group])


def _rendered(
    console: Console, shape: Shape, view: View, *, with_trends: bool
) -> Iterator[tuple[tuple[str, Dimensions], Sequence[RenderableType]]]:
    """Yield the lines of the series with numbers, or of those with distributions, each kind aligned by itself."""
    chosen = [one for one in view.series if isinstance(one.latest.value, Distribution) is (shape is DISTRIBUTIONS)]
    columns = [*shape.columns, *([tables.TREND] if with_trends else [])]
    lines = [_line(one, view.span_s) for one in chosen]
    for one, block in zip(chosen, tables.rendered(console, shape, columns, lines), strict=True):
        yield (one.metric, one.dimensions), block


def _line(one: Series, span_s: float) -> Line:
    names = words.line(words.safe(", ".join(value for _, value in one.dimensions)))
    style = "" if one.is_current else "dim"
    cells = {
        "dimensions": Text(f"  {names}"),
        **{name: Text(said, style) for name, said in _said(one).items()},
        "age": Text(words.ago(one.age_s), "dim" if one.is_current else "yellow"),
    }
    return Line(cells, partial(one.sparkline, span_s))


def _plain_line(one: Series, span_s: float) -> Line:
    pairs = (f"{name}={value}" for name, value in one.dimensions)
    cells = {"metric": one.metric, "dimensions": words.line(words.safe(",".join(pairs)))}
    cells |= _said(one) | {"age": words.ago(one.age_s)}
    return Line({name: Text(said) for name, said in cells.items()}, partial(one.sparkline, span_s))


def _said(one: Series) -> dict[str, str]:
    """Return the cells of the latest value; where that is old, it was so, and is not known to be so now."""
    value, was = one.latest.value, "" if one.is_current else "was "
    unit = METRICS[one.metric].unit
    if isinstance(value, Distribution):
        figures = _figures(value)
        told = {name: with_unit(figure, unit) for name, figure in figures.items() if name != "count"}
        return NO_PERCENTILES | {"value": f"{was}{words.count(value.count, 'value')}", **told}
    return NO_PERCENTILES | {"value": was + with_unit(value, unit)}


def _sum_up(found: Sequence[Series]) -> Text:
    old = sum(not one.is_current for one in found)
    metrics = len({one.metric for one in found})
    told = Text(f"{len(found):,} series of {words.count(metrics, 'metric')}")
    return told + (
        Text(f", {old:,} of them without a recent sample", "yellow") if old else Text(", all of them recent")
    )
