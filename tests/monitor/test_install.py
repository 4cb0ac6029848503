"""The public door: two lines, and nothing that can go wrong later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from celery import Celery

import monitor
from monitor.store import open_store, reads
from monitor.store.measured import latest_samples
from tests.workers_process import worker_environment

APPLICATION = """
from celery import Celery
from monitor import install, label

app = Celery("shop", broker="memory://", backend="cache+memory://")
app.conf.task_always_eager = True
install(app)
install(app)

@app.task
def inner():
    label(depth="inner")

@app.task
def order(password):
    label(customer="c-17")
    inner.apply()
    label(size="large")
    return 1
"""


def run(directory: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the application, as a person would, in a directory of its own."""
    (directory / "shop.py").write_text(APPLICATION)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=worker_environment(env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_two_lines_record_a_job_without_any_setting(tmp_path: Path) -> None:
    """Store and spool come to lie in .monitor, for their owner alone; a second install changes nothing."""
    ran = run(tmp_path, "-c", "import shop; shop.order.delay('hunter2')")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / ".monitor").rglob("*")} == {0}


def test_labels_belong_to_the_run_that_sets_them(tmp_path: Path) -> None:
    """A job that runs another one inside itself keeps its own."""
    ran = run(tmp_path, "-c", "import shop; shop.order.delay('hunter2')")
    told = b"".join(path.read_bytes() for path in (tmp_path / ".monitor" / "spool").glob("*.spool"))

    assert ran.returncode == 0
    assert told.count(b"customer") == told.count(b"depth") == 1
    assert told.index(b"depth") < told.index(b"customer")
    assert b"hunter2" not in told


def test_a_wrong_setting_ends_celery_s_command_with_one_message(tmp_path: Path) -> None:
    """All faults at once, exit status 2, no traceback."""
    faults = {"MONITOR_SPOOL_MAX_MB": "lots", "MONITOR_ARGUMENTS": "maybe"}

    ran = run(tmp_path, "-m", "celery", "-A", "shop", "worker", **faults)

    assert ran.returncode == 2
    assert "MONITOR_SPOOL_MAX_MB: expected a whole number of at least 1, got 'lots'." in ran.stderr
    assert "MONITOR_ARGUMENTS: expected on or off, got 'maybe'." in ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr


def test_importing_an_application_starts_and_opens_nothing(tmp_path: Path) -> None:
    """A web server may fork after the import."""
    ran = run(tmp_path, "-c", "import shop, threading; print(threading.active_count())")

    assert ran.stdout.strip() == "1"
    assert not (tmp_path / ".monitor").exists()


def test_a_label_outside_of_a_job_does_nothing() -> None:
    """The same code may run in a shell."""
    monitor.label(customer="c-17")


def test_a_process_that_only_sends_ships_what_it_sent(tmp_path: Path) -> None:
    """Without any worker on its host, before and at its end."""
    sending = "import shop; shop.app.conf.task_always_eager = False; shop.order.delay('x')"

    ran = run(tmp_path, "-c", sending)

    assert ran.returncode == 0
    engine = open_store(f"sqlite:///{tmp_path}/.monitor/store.db")
    assert [job.state for job in reads.jobs_matching(engine, reads.JobFilter())] == ["waiting"]


def test_any_application_can_be_fitted() -> None:
    """The worker's blueprint has the shipper and the lease once each, however often it is installed."""
    app = Celery("fitted", set_as_current=False)

    for _ in range(2):
        monitor.install(app)

    assert sorted(step.__name__ for step in app.steps["worker"]) == ["LeaseStep", "ShipperStep"]


def test_the_pool_of_an_engine_is_measured(tmp_path: Path) -> None:
    """What a process sees of its own pool comes into the store by the spool."""
    watching = (
        "import shop, monitor; from sqlalchemy import create_engine, text; from sqlalchemy.pool import QueuePool\n"
        "engine = create_engine('sqlite://', poolclass=QueuePool, pool_size=3)\n"
        "monitor.watch_engine(engine, 'orders')\n"
        "with engine.connect() as connection: connection.execute(text('SELECT 1'))\n"
        "shop.app.conf.task_always_eager = False; shop.order.delay('x')"
    )

    ran = run(tmp_path, "-c", watching)

    assert ran.returncode == 0, ran.stderr
    samples = latest_samples(open_store(f"sqlite:///{tmp_path}/.monitor/store.db"), since=0.0)
    assert {sample.metric: sample.value for sample in samples}["PoolSize"] == 3
    assert {sample.dimensions for sample in samples} == {(("Pool", "orders"),)}
