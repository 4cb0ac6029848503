"""What it costs to measure: each sampler's time as its subject grows.

    python -m benchmarks.sampling [--rounds 30] [--quick]

Queues, on a Redis of its own: as the number of queues, of messages and their size, of messages that workers hold, and
of other keys grows. Each tick is a whole one: it connects, asks the broker, reads notes, leases and the last minute's
samples from the store, and judges. Medians: the tick by the clock, what of it was the look at the
broker, from connecting to the last answer, with its CPU time in this process, and the broker's own CPU time.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import redis
from celery import Celery
from kombu.entity import Exchange, Queue

from benchmarks.report import console, say, say_where
from monitor.sampling.channels import open_channel
from monitor.sampling.queues import sample_queues
from monitor.sampling.queues.transports import look_at
from monitor.store import Store, open_store
from monitor.store.measured import save_measured
from tests.servers import RedisServer

PACKAGES = ("kombu", "redis", "sqlalchemy")
STEPS = ("", "\x06\x163", "\x06\x166", "\x06\x169")
TICK_S = 15
AT = 1_900_000_000.0
AT_ONCE = 5_000
HEADINGS = ("queues", "messages", "bytes", "held", "keys")
FIGURES = ("tick ms", "look ms", "from – to", "CPU ms", "broker ms")


@dataclass(frozen=True, slots=True)
class Case:
    """What is on the broker."""

    queues: int
    messages: int
    message_bytes: int = 1_000
    held: int = 0
    other_keys: int = 0

    def __str__(self) -> str:
        return f"{self.queues} queues"

    def titles(self) -> tuple[str, ...]:
        """What the report says of it."""
        counts = (self.queues, self.messages, self.message_bytes, self.held, self.other_keys)
        return tuple(f"{count:,}" for count in counts)


CASES = (
    Case(1, 0),
    Case(10, 1_000),
    Case(50, 1_000),
    Case(50, 100_000),
    Case(50, 1_000_000),
    Case(500, 100_000),
    Case(50, 1_000, held=500),
    Case(50, 1_000, held=1_000),
    Case(50, 1_000, held=20_000),
    Case(50, 1_000, other_keys=100_000),
    Case(50, 1_000, other_keys=1_000_000),
    Case(1, 10, message_bytes=1_300_000),
    Case(5, 20, message_bytes=1_300_000),
)


@dataclass(frozen=True, slots=True)
class Measure:
    """What one tick took."""

    tick_s: float
    look_s: float
    look_cpu_s: float
    broker_cpu_s: float


@dataclass(frozen=True, slots=True)
class Bench:
    """An application on a broker that holds what the case says, and a store."""

    app: Celery
    redis: Any
    store: Store

    def check(self, case: Case) -> None:
        """Make sure that what is measured is what is there."""
        measured = sample_queues(self.app, self.store, AT)
        depth = sum(s.value for s in measured.samples if s.metric == "JobQueueDepth" and isinstance(s.value, float))
        assert depth == case.messages, f"{case}: counted {depth:,.0f} of {case.messages:,} messages"

    def measure(self, tick: int) -> Measure:
        """Take one tick, and one look at the broker alone."""
        at = AT + TICK_S * tick
        before, began = self._cpu_s(), time.perf_counter()
        measured = sample_queues(self.app, self.store, at)
        tick_s = time.perf_counter() - began
        broker_cpu_s = self._cpu_s() - before
        save_measured(self.store, measured, at)
        began, began_cpu = time.perf_counter(), time.process_time()
        with open_channel(self.app) as channel:
            look_at(channel, set(self.app.amqp.queues), set(), at, None)
        return Measure(tick_s, time.perf_counter() - began, time.process_time() - began_cpu, broker_cpu_s)

    def _cpu_s(self) -> float:
        info = self.redis.info("cpu")
        return float(info["used_cpu_user"] + info["used_cpu_sys"])


@click.command(help=__doc__.partition("\n\n")[0])
@click.option("--rounds", type=click.IntRange(min=1), default=30, show_default=True, help="Ticks of each case.")
@click.option("--quick", is_flag=True, help="Two ticks of the small cases: whether it works, not how fast.")
def main(rounds: int, quick: bool) -> None:  # noqa: FBT001
    """Measure, and print a table."""
    cases = [case for case in CASES if case.messages + case.other_keys <= AT_ONCE] if quick else CASES
    rounds = 2 if quick else rounds
    say_where(PACKAGES)
    rows = [(*case.titles(), *_figures(_measure(case, rounds))) for case in cases]
    say(f"Queues of {len(STEPS)} priorities on Redis: {rounds} ticks each, medians", (*HEADINGS, *FIGURES), rows)


def _measure(case: Case, rounds: int) -> list[Measure]:
    with _bench(case) as bench:
        bench.check(case)
        found = [bench.measure(tick) for tick in range(1, rounds + 1)]
    console.print(f"{', '.join(case.titles())}: measured", style="dim")
    return found


@contextmanager
def _bench(case: Case) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="monitor-sampling-") as name:
        directory = Path(name)
        with RedisServer(directory / "redis") as server, redis.Redis.from_url(server.url) as client:
            client.config_set("appendonly", "no")
            store = open_store(f"sqlite:///{directory}/store.db", create=True)
            _fill(client, case)
            yield Bench(_app(server.url, case), client, store)
            store.dispose()


def _app(url: str, case: Case) -> Celery:
    app = Celery("benchmark", broker=url, set_as_current=False)
    names = [_name(number) for number in range(case.queues)]
    app.conf.task_queues = [
        Queue(name, Exchange(name), routing_key=name)  # type: ignore[no-untyped-call]
        for name in names
    ]
    return app


def _fill(client: Any, case: Case) -> None:
    keys = [_name(number) + step for number in range(case.queues) for step in STEPS]
    message = _message(case.message_bytes)
    each, rest = divmod(case.messages, len(keys))
    for number, key in enumerate(keys):
        for part in _parts(each + (number < rest)):
            client.lpush(key, *[message] * len(part))
    taken = json.dumps([json.loads(message), "", _name(0)])
    for part in _parts(case.held):
        client.hset("unacked", mapping={str(number): taken for number in part})
    for part in _parts(case.other_keys):
        client.mset({f"celery-task-meta-{number}": "{}" for number in part})


def _parts(count: int) -> Iterator[range]:
    for start in range(0, count, AT_ONCE):
        yield range(start, min(start + AT_ONCE, count))


def _name(number: int) -> str:
    return f"queue-{number:03}"


def _message(message_bytes: int) -> str:
    """Return a message as kombu writes it, of about that many bytes."""
    headers: dict[str, Any] = {
        "lang": "py",
        "task": "workers.optimization.solve",
        "id": "0" * 36,
        "eta": None,
        "retries": 0,
    }
    headers |= {"argsrepr": "({'scenario_id': 'run-48211'},)", "kwargsrepr": "{}", "monitor_sent_at": AT - 40.5}
    info = {"exchange": "", "routing_key": _name(0)}
    properties = {"delivery_mode": 2, "delivery_info": info, "priority": 0, "delivery_tag": "0" * 36}
    message: dict[str, Any] = {"body": "", "content-encoding": "utf-8", "content-type": "application/json"}
    message |= {"headers": headers, "properties": properties}
    return json.dumps(message | {"body": "x" * max(0, message_bytes - len(json.dumps(message)))})


def _figures(measures: list[Measure]) -> tuple[str, ...]:
    look_ms = [measure.look_s * 1e3 for measure in measures]
    tick, look, cpu, broker = (
        f"{statistics.median(getattr(measure, name) for measure in measures) * 1e3:.1f}"
        for name in ("tick_s", "look_s", "look_cpu_s", "broker_cpu_s")
    )
    return tick, look, f"{min(look_ms):.1f} – {max(look_ms):.1f}", cpu, broker


if __name__ == "__main__":
    main()
