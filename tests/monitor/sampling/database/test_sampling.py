"""What cannot be measured is told in a sentence, without a password, and stops no other database."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest

from monitor.sampling.database import sample_databases
from tests.monitor.sampling.database.reading import figures, notes
from tests.monitor.sampling.database.servers import MAX_CONNECTIONS, PASSWORD, RESERVED, SmallServer
from tests.processes import wait_until
from tests.servers import HOST, free_port

AT = 1_800_000_000.0


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port that accepts, and never answers."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen()
        yield listening.getsockname()[1]


def fault(url: str) -> str:
    """Why the one database is not measured; it has no sample."""
    measured = sample_databases({"orders": url}, AT)

    assert figures(measured) == {}
    assert notes(measured).keys() == {"fault"}
    return notes(measured)["fault"]


def test_a_wrong_password_is_told_and_not_repeated(server: SmallServer, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the right nor the wrong password is in a note or in the log."""
    caplog.set_level(0)
    wrong = quote(PASSWORD[:-1], safe="")

    said = fault(f"postgresql://locked:{wrong}@{HOST}:{server.port}/postgres")

    assert said == "the server refuses the password of user locked"
    assert PASSWORD[:-1] not in caplog.text
    assert wrong not in caplog.text


def test_a_right_password_opens(server: SmallServer) -> None:
    """A password with characters that a URL writes in another way is understood."""
    url = f"postgresql://locked:{quote(PASSWORD, safe='')}@{HOST}:{server.port}/postgres"

    measured = sample_databases({"orders": url}, AT)

    assert "fault" not in notes(measured)
    assert "DatabaseLatency" in figures(measured)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://locked@{at}/postgres", "the server wants a password of user locked, and the URL has none"),
        ("postgresql://nobody:secret@{at}/postgres", "the server knows no user nobody"),
        ("postgresql://guest:secret@{at}/nothing", "the server has no database nothing"),
        ("postgresql://guest:secret@nowhere.invalid/postgres", "no host is known as nowhere.invalid"),
        ("postgresql://guest:secret@{unused}/postgres", "the connection is refused: nobody listens at {unused}"),
        ("postgresql://guest@/postgres?host=/nowhere", "there is no server behind a socket in /nowhere"),
        ("postgresql://guest@{at}/postgres?colour=red", 'ProgrammingError: invalid connection option "colour"'),
        ("oracle://guest:secret@{at}/postgres", "expected a URL that begins with postgresql://, mysql://,"),
        ("postgresql://guest:sec@ret@{at}/postgres", "expected a URL like postgresql://user@host/database;"),
        ("postgresql://guest:sec@12:ret@{at}/postgres", "expected a URL like postgresql://user@host/database;"),
        ("postgresql://guest:sec@x/ret@{at}/postgres", "expected a URL like postgresql://user@host/database;"),
        ("mysql+aiomysql://guest:secret@{at}/postgres", "expected "),
        ("mysql+unheard://guest:secret@{at}/x", "expected a driver like mysql+pymysql://, got mysql+unheard://"),
        ("mysql+mysqlconnector://guest:secret@{at}/x", "expected the driver mysql"),
        ("sqlite:////nowhere/app.db", "there is no readable file /nowhere/app.db"),
    ],
)
def test_each_fault_has_a_sentence_of_its_own(server: SmallServer, url: str, sentence: str) -> None:
    """A wrong URL, and each way to refuse it, is told in words that say what is wrong."""
    parts = {"at": f"{HOST}:{server.port}", "unused": f"{HOST}:{free_port()}"}

    said = fault(url.format_map(parts))

    assert said.startswith(sentence.format_map(parts))
    assert "secret" not in said
    assert "ret@" not in said


def test_taken_slots_are_told_as_all_of_the_limit(server: SmallServer) -> None:
    """A server that has no slot left refuses the sampler: that itself is the figure."""
    with ExitStack() as stack, server.connected(MAX_CONNECTIONS - RESERVED, "guest"):
        ordinary = sample_databases({"orders": server.url_of("monitor")}, AT)
        stack.enter_context(server.connected(RESERVED, "postgres"))
        superuser = sample_databases({"orders": server.url_of("postgres")}, AT)

    for measured in (ordinary, superuser):
        assert notes(measured) == {"fault": "all connections of the server are taken: it refuses any further one"}
        assert figures(measured) == {"DatabaseConnectionsUsed": 100}


def test_a_limit_of_one_user_is_not_the_limit_of_all(server: SmallServer) -> None:
    """A user who has as many connections as he may have says nothing of the server's slots."""
    with server.connect() as connection:
        connection.execute("CREATE ROLE lonely LOGIN CONNECTION LIMIT 0")

    assert fault(server.url_of("lonely")) == "user lonely has as many connections as this user may have"


def test_a_stopped_server_is_told_until_it_is_back(server: SmallServer) -> None:
    """A server that is gone leaves a gap; when it is back, the note is over."""
    server.stop()
    while_down = fault(server.url_of("monitor"))
    server.start()

    measured = sample_databases({"orders": server.url_of("monitor")}, AT + 30)

    assert while_down.startswith("the connection is refused")
    assert "fault" not in notes(measured)
    assert figures(measured)["DatabaseConnections"] == 0


def test_one_that_never_answers_holds_up_no_other(server: SmallServer, mute_port: int) -> None:
    """The others are measured meanwhile; the mute one is told after its time, and by its own connect timeout."""
    databases = {"mute": f"postgresql://guest@{HOST}:{mute_port}/x", "orders": server.url_of("monitor")}

    early = sample_databases(databases, AT, timeout_s=1.0)

    assert "DatabaseConnections" in figures(early)
    assert figures(early, "mute") == {}
    assert notes(early, "database:mute") == {"fault": "no answer to what it was asked at 2027-01-15 08:00:00 UTC"}


def test_one_that_never_answers_is_asked_once_at_a_time(mute_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a question is open, no further connection is made; afterwards it is asked again."""
    monkeypatch.setattr("monitor.sampling.database.postgresql.CONNECT_TIMEOUT_S", 2)
    databases = {"mute": f"postgresql://guest@{HOST}:{mute_port}/x"}
    said = [fault_of_mute(databases, AT + tick, timeout_s=0.1) for tick in (0, 30, 60)]

    wait_until(
        lambda: fault_of_mute(databases, AT + 90, timeout_s=12.0) == f"no answer from {HOST}:{mute_port} in time",
        what="it is asked again, and the connect timeout is over",
    )

    assert said == ["no answer to what it was asked at 2027-01-15 08:00:00 UTC"] * 3


def fault_of_mute(databases: dict[str, str], at: float, timeout_s: float) -> str:
    """Why the mute one is not measured."""
    return notes(sample_databases(databases, at, timeout_s), "database:mute")["fault"]


def test_what_was_told_of_a_database_ends_with_its_answer(server: SmallServer) -> None:
    """Of a database that cannot be reached nothing is said but that: older notes are over."""
    measured = sample_databases({"orders": f"postgresql://guest@{HOST}:{free_port()}/x"}, AT)

    over = {note.name for note in measured.notes if note.text is None}
    assert {"idle in transaction", "longest query", "waiting for a lock", "privilege", "size"} <= over
    assert server.is_running()


def test_sqlite_answers_from_its_file(tmp_path: Path) -> None:
    """A file with tables has a latency; a missing one is not made, and another kind of file is told."""
    sqlite3.connect(tmp_path / "app.db").execute("CREATE TABLE orders (id int)")
    (tmp_path / "notes.txt").write_text("no database at all, but long enough for a header" * 10)

    told = figures(sample_databases({"orders": f"sqlite:///{tmp_path}/app.db"}, AT))

    assert told.keys() == {"DatabaseLatency"}
    assert fault(f"sqlite:///{tmp_path}/gone.db") == f"there is no readable file {tmp_path}/gone.db"
    assert not (tmp_path / "gone.db").exists()
    assert fault(f"sqlite:///{tmp_path}/notes.txt") == f"{tmp_path}/notes.txt is not an SQLite database"
