"""`monitor queues`, `workers`, `schedules` and `metrics` as a person calls them, on both kinds of store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from monitor.store.measured import clock
from tests.monitor.cli.measured import beat_state, entry, lease, leased, noted, queue, series, worker_state
from tests.monitor.cli.screens import call

if TYPE_CHECKING:
    from sqlalchemy import Engine

DRAWN = frozenset("▁▂▃▄▅▆▇█")
VIEWS = ("queues", "workers", "schedules", "metrics")


@pytest.fixture
def shop(store: Engine, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A store with two queues, a worker that lives and one that is silent, a beat, and two entries of a schedule."""
    monkeypatch.setenv("MONITOR_STORE_URL", store_url)
    now = clock(store)
    queue(store, "exports", [1.0, 9.0], now, never=True)
    queue(store, "imports", [1.0, 1.0], now)
    leased(
        store,
        lease("w1@alpha", started_at=now - 90.0, renewed_at=now, period_s=600.0),
        lease("w2@beta", started_at=now - 90.0, renewed_at=now - 60.0),
        lease("beat@alpha", started_at=now - 90.0, renewed_at=now, period_s=600.0, state=beat_state()),
    )
    series(store, "MemoryUsage", {now: 400.0}, Worker="w1@alpha")
    entry(store, "prune", now)
    entry(store, "nightly", now, missed=1)
    return store


@pytest.fixture
def empty_shop(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store in which nothing was measured yet."""
    monkeypatch.setenv("MONITOR_STORE_URL", store_url)


def read(*arguments: str) -> Any:
    """Return what a command with `--json` prints, and nothing else."""
    result = call(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


@pytest.mark.usefixtures("shop")
def test_each_view_is_told_in_lines_the_worst_first() -> None:
    """Read from the store alone."""
    firsts = {view: [line.split()[:2] for line in call(view).stdout.splitlines()] for view in VIEWS}

    assert firsts["queues"][1:3] == [["exports", "growing"], ["imports", "moving"]]
    assert firsts["workers"][1:3] == [["w2@beta", "silent"], ["w1@alpha", "alive"]]
    assert firsts["schedules"][1:3] == [["nightly", "missed"], ["prune", "in"]]
    assert firsts["metrics"][1:3] == [["JobQueueDepth", "QueueName=exports"], ["JobQueueDepth", "QueueName=imports"]]


@pytest.mark.usefixtures("shop")
def test_json_is_one_array_of_objects() -> None:
    """In the same order; a time is ISO 8601, a number a number, and what is not known is null."""
    exports, imports = read("queues")
    silent, alive, beat = read("workers")
    nightly, prune = read("schedules")
    depths = read("metrics", "JobQueueDepth", "--since", "5m")

    assert (exports["queue"], exports["waiting"], exports["never_empties"]) == ("exports", 9.0, True)
    assert (imports["empty_in_s"], exports["empty_in_s"]) == (6.0, None)
    assert exports["measured_at"].endswith("Z")
    assert [(each["role"], each["state"]) for each in (silent, alive, beat)] == [
        ("worker", "silent"),
        ("worker", "alive"),
        ("beat", "alive"),
    ]
    assert (silent["slots"], alive["slots"]) == (None, 2)
    assert [(each["entry"], each["missed"]) for each in (nightly, prune)] == [("nightly", 1), ("prune", 0)]
    assert [(each["dimensions"], each["value"], each["is_current"]) for each in depths] == [
        ({"QueueName": "exports"}, 9.0, True),
        ({"QueueName": "imports"}, 1.0, True),
    ]


@pytest.mark.usefixtures("empty_shop")
@pytest.mark.parametrize("view", VIEWS)
def test_where_nothing_was_measured_it_is_said_what_to_start(view: str) -> None:
    """And that is no error."""
    result = call(view)

    assert (result.exit_code, result.stderr) == (0, "")
    assert "`celery -A app beat`" in result.stdout
    assert read(view) == []


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("view", VIEWS)
def test_sparklines_are_drawn_in_a_terminal_or_where_they_are_asked_for(
    view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere nothing is drawn, and not a glyph is printed."""
    in_a_pipe, asked_for = call(view).stdout, call(view, "--sparkline").stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    in_a_terminal, refused = call(view).stdout, call(view, "--no-sparkline").stdout

    assert in_a_pipe.isascii()
    assert [bool(DRAWN & set(told)) for told in (asked_for, in_a_terminal, refused)] == [True, True, False]


@pytest.mark.usefixtures("shop")
def test_colour_is_never_alone_and_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """By NO_COLOR, or by Celery's own option."""
    monkeypatch.setenv("FORCE_COLOR", "1")

    coloured, by_option = call("workers").stdout, call("workers", no_color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    by_variable = call("workers").stdout

    assert "\x1b[1;31m✗ silent" in coloured
    assert all("✗ silent since" in told and "31m" not in told for told in (by_option, by_variable))


@pytest.mark.usefixtures("shop")
def test_a_queue_is_forgotten_on_purpose() -> None:
    """And with it all that was noted about it."""
    result = call("queues", "forget", "exports")

    assert result.stdout == (
        "Forgot the queue exports. It is listed again if it is still on the broker, configured or consumed.\n"
    )
    assert [each["queue"] for each in read("queues")] == ["imports"]


def test_a_worker_or_beat_that_is_gone_is_forgotten_on_purpose(shop: Engine) -> None:
    """And with it what was noted about it; of another whose name begins so nothing is."""
    now = clock(shop)
    for name in ("w2@beta", "w2@beta2"):
        noted(shop, f"worker:{name}", "node name", "2 processes go by this name", now)
    leased(shop, lease("beat@beta", started_at=0.0, renewed_at=1.0, state=beat_state()))
    leased(shop, lease("w2@beta2", renewed_at=now, state=worker_state(), period_s=600.0))

    said = [call("workers", "forget", name).stdout for name in ("w2@beta", "beat@beta")]

    assert said == ["Forgot w2@beta.\n", "Forgot beat@beta.\n"]
    left = {each["name"]: each.get("remarks") for each in read("workers")}
    assert set(left) == {"w1@alpha", "w2@beta2", "beat@alpha"}
    assert set(left["w2@beta2"]) == {"node name"}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("queues forget export", "This store knows no queue 'export'; the closest is 'exports'."),
        ("queues forget zzz", "This store knows no queue 'zzz'."),
        ("workers forget w3@beta", "This store knows no worker or beat 'w3@beta'; the closest is 'w2@beta'."),
        ("workers forget w1@alpha", "w1@alpha is alive, and would be listed again within seconds: stop it first."),
        ("workers forget beat@alpha", "beat@alpha is alive, and would be listed again within seconds: stop it first."),
    ],
)
def test_what_cannot_be_forgotten_is_told_in_one_sentence(command: str, said: str) -> None:
    """With exit status 2, and nothing is forgotten."""
    before = read("queues"), [each["name"] for each in read("workers")]

    result = call(*command.split())

    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {said}\n")
    assert (read("queues"), [each["name"] for each in read("workers")]) == before
