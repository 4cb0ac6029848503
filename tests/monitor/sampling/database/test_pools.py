"""An application's pool is measured from inside, and its connections are named after the jobs that use them."""

import os
from collections.abc import Callable, Iterator

import pytest
from celery import Celery, Task
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from monitor.sample import Distribution, Measured
from monitor.sampling.database import job_of, watch_engine
from tests.monitor.sampling.database.servers import SmallServer

Job = Callable[[Callable[[], str]], tuple[str, str]]

WHO = text("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")


@pytest.fixture
def told() -> list[Measured]:
    """What the engine's watch handed over."""
    return []


@pytest.fixture
def engine(server: SmallServer, told: list[Measured], monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An application's watched engine, named `web`, that tells after each step."""
    monkeypatch.setattr("monitor.sampling.database.tally.TELL_EVERY_S", 0.0)
    with_name = {"application_name": "web"}
    engine = create_engine(server.url, pool_size=1, max_overflow=1, pool_timeout=0.1, connect_args=with_name)
    watch_engine(engine, "orders", observe=told.append)
    yield engine
    engine.dispose()


@pytest.fixture
def job() -> Job:
    """Runs a function as a job of the task `optimization.solve`; returns the job's id, and what the function did."""
    app = Celery("tests", set_as_current=False)

    def solve(self: Task, work: Callable[[], str]) -> tuple[str, str]:
        return str(self.request.id), work()

    task = app.task(bind=True, name="optimization.solve", shared=False)(solve)  # else each later application has it

    def run(work: Callable[[], str]) -> tuple[str, str]:
        done: tuple[str, str] = task.apply((work,)).get()
        return done

    return run


def who(engine: Engine) -> str:
    """The name of a connection, as PostgreSQL shows it."""
    with engine.connect() as connection:
        return str(connection.execute(WHO).scalar_one())


def last(told: list[Measured]) -> dict[str, float | Distribution]:
    """The latest value of each metric."""
    return {sample.metric: sample.value for measured in told for sample in measured.samples}


def checkouts(told: list[Measured]) -> int:
    """How many checkouts were timed."""
    times = (sample.value for measured in told for sample in measured.samples if sample.metric == "PoolCheckoutTime")
    return sum(time.count for time in times if isinstance(time, Distribution))


def test_a_jobs_connection_leads_to_the_job(engine: Engine, job: Job) -> None:
    """Within a job PostgreSQL shows the job's id and task; outside, the application's own name."""
    before = who(engine)
    id_, within = job(lambda: who(engine))

    assert job_of(within) == (id_, "optimization.solve")
    assert before == who(engine) == "web"


def test_each_job_has_its_own_name_on_the_same_connection(engine: Engine, job: Job) -> None:
    """A pooled connection that goes from job to job never bears the name of the one before."""
    for _ in range(3):
        id_, within = job(lambda: who(engine))

        assert job_of(within) == (id_, "optimization.solve")


def test_a_rollback_does_not_take_the_name_away(engine: Engine, job: Job) -> None:
    """The name is set outside the job's transaction."""

    def rolled_back() -> str:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            connection.rollback()
            return str(connection.execute(WHO).scalar_one())

    id_, within = job(rolled_back)

    assert job_of(within) == (id_, "optimization.solve")


def test_naming_begins_no_transaction(engine: Engine, server: SmallServer, job: Job) -> None:
    """A job that has only checked out a connection holds nothing in the database."""

    def at_rest() -> str:
        with engine.connect(), server.connect() as watcher:
            row = watcher.execute(
                "SELECT state FROM pg_stat_activity WHERE application_name LIKE 'celery:%'"
            ).fetchone()
            assert row
            return str(row[0])

    assert job(at_rest)[1] == "idle"


def test_an_application_in_autocommit_mode_stays_in_it(server: SmallServer, job: Job, told: list[Measured]) -> None:
    """The connection is given to the job as the application wants it."""
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    watch_engine(engine, observe=told.append)

    def mode() -> str:
        with engine.connect() as connection:
            return f"{connection.connection.dbapi_connection.autocommit}"  # type: ignore[union-attr]

    assert job(mode)[1] == "True"
    engine.dispose()


def test_a_job_pays_once_for_its_name(server: SmallServer, job: Job, told: list[Measured]) -> None:
    """However often a job checks a connection out, PostgreSQL is told once: by the server's own log."""
    with server.connect() as connection:
        connection.execute("CREATE ROLE logged LOGIN; ALTER ROLE logged SET log_statement = 'all'")
    engine = create_engine(server.url_of("logged"), pool_size=1)
    watch_engine(engine, observe=told.append)

    id_, _ = job(lambda: str([who(engine) for _ in range(20)]))

    engine.dispose()
    assert server.latest_log().count(f"SET application_name = 'celery:{id_}:") == 1
    assert server.latest_log().count("RESET application_name") == 0


def test_the_pool_is_told_with_its_most(engine: Engine, told: list[Measured]) -> None:
    """Size, the most in use and beyond the size, and a time for each checkout, also for the one in vain."""
    with engine.connect(), engine.connect(), pytest.raises(PoolTimeoutError):
        engine.connect()

    figures = {sample.metric: sample.value for sample in told[-3].samples}
    took = figures.pop("PoolCheckoutTime")
    assert figures == {"PoolSize": 1, "PoolCheckedOut": 2, "PoolOverflow": 1}
    assert isinstance(took, Distribution)
    assert took.percentile(100) >= 100 * 0.975
    assert checkouts(told) == 3
    assert {sample.dimensions for measured in told for sample in measured.samples} == {(("Pool", "orders"),)}


def test_a_disposed_engine_is_watched_on(engine: Engine, told: list[Measured], job: Job) -> None:
    """`dispose`, usual after a fork, gives the engine a new pool: it is named and timed as the old one was."""
    engine.dispose()

    id_, within = job(lambda: who(engine))

    assert job_of(within) == (id_, "optimization.solve")
    assert checkouts(told) == 1


def test_a_second_watch_adds_nothing(engine: Engine, told: list[Measured]) -> None:
    """An engine that is watched twice is counted once."""
    watch_engine(engine, "again", observe=told.append)

    who(engine)

    assert checkouts(told) == 1


def test_a_fork_tells_its_own_numbers(engine: Engine, told: list[Measured], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the parent counted and has not told is not told by its children too."""
    who(engine)
    monkeypatch.setattr("monitor.sampling.database.tally.TELL_EVERY_S", 3600.0)
    for _ in range(5):
        who(engine)
    told.clear()

    child = os.fork()
    if not child:
        engine.dispose(close=False)
        who(engine)
        os._exit(checkouts(told))
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 1


def test_a_watch_that_fails_harms_nobody(
    server: SmallServer, job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails in it, the job has its connection; the log tells it once."""

    def refuse(_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("monitor.sampling.database.tally.TELL_EVERY_S", 0.0)
    engine = create_engine(server.url, pool_size=1, connect_args={"application_name": "web"})
    watch_engine(engine, "orders", observe=refuse)

    _, within = job(lambda: who(engine) and who(engine))

    engine.dispose()
    assert within.startswith("celery:")
    assert [record.getMessage() for record in caplog.records] == [
        "Watching the pool orders failed; the application goes on"
    ]


def test_a_connection_that_cannot_be_named_is_given_all_the_same(
    engine: Engine, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that the server refuses costs the job nothing: its transaction works."""
    monkeypatch.setattr("monitor.sampling.database.pools.name_of_current_job", lambda: "a'b")

    assert job(lambda: who(engine))[1] == "web"


def test_pools_without_a_size_and_other_databases_are_timed(told: list[Measured]) -> None:
    """An engine without a pool, of a database without names, tells how long a checkout took."""
    engine = create_engine("sqlite://", poolclass=NullPool)
    watch_engine(engine, "scratch", observe=told.append)

    with engine.connect():
        pass

    assert last(told).keys() == {"PoolCheckoutTime"}
