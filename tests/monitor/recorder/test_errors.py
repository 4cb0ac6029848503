"""Errors: their words, bounded, and a fingerprint that is the same for the same fault."""

from __future__ import annotations

from billiard.exceptions import WorkerLostError
from celery.utils.serialization import UnpickleableExceptionWrapper

from monitor.recorder.errors import MAX_MESSAGE, MAX_TRACEBACK, error_of


def read_row(row: int, where: str = "run-48211") -> None:
    """Fail as a job does."""
    raise ValueError(f"row {row} of {where} is bad")


def store_row(row: int) -> None:
    """Fail at another place."""
    raise ValueError(f"row {row} is bad")


def caught(function: object, *arguments: object) -> BaseException:
    """Return what the call raises."""
    try:
        function(*arguments)  # type: ignore[operator]
    except Exception as fault:  # noqa: BLE001
        return fault
    raise AssertionError("it did not fail")


def test_an_error_says_class_message_and_traceback() -> None:
    """Built-in classes by their name, others with their module."""
    error = error_of(caught(read_row, 17))

    assert (error.kind, error.message) == ("ValueError", "row 17 of run-48211 is bad")
    assert 'raise ValueError(f"row {row} of {where} is bad")' in str(error.traceback)
    assert error_of(WorkerLostError("gone")).kind == "billiard.exceptions.WorkerLostError"


def test_the_same_fault_has_the_same_fingerprint_whatever_the_row() -> None:
    """Class and place decide, numbers and ids do not."""
    one, other = error_of(caught(read_row, 17)), error_of(caught(read_row, 3, "run-5"))

    assert one.fingerprint == other.fingerprint


def test_another_place_or_class_is_another_fault() -> None:
    """Two jobs that fail alike at different places are two findings."""
    fingerprints = {error_of(caught(failing, argument)).fingerprint for failing, argument in
                    ((read_row, 1), (store_row, 1), (int, "x"))}  # fmt: skip

    assert len(fingerprints) == 3


def test_an_error_without_a_place_goes_by_its_message() -> None:
    """What the main process tells of a killed child has no traceback; its numbers change with each."""
    words = "Worker exited prematurely: signal {} (SIGKILL) Job: {}."
    one, other = error_of(WorkerLostError(words.format(9, 1))), error_of(WorkerLostError(words.format(9, 204)))

    assert one.fingerprint == other.fingerprint
    assert one.traceback is None


def test_the_place_is_the_application_s_own_not_a_library_s() -> None:
    """A fault inside json is the fault of the line that called it."""

    def parse_here() -> None:
        __import__("json").loads("{")

    def parse_there() -> None:
        __import__("json").loads("{")

    assert error_of(caught(parse_here)).fingerprint != error_of(caught(parse_there)).fingerprint


def test_an_exception_that_cannot_be_pickled_keeps_its_name() -> None:
    """Celery wraps it; the wrapper is not what went wrong."""
    wrapped = UnpickleableExceptionWrapper("client.errors", "QuotaExceeded", (1,), "QuotaExceeded(1)")

    assert error_of(wrapped).kind == "client.errors.QuotaExceeded"


def test_words_are_bounded_and_storable() -> None:
    """Long texts lose their middle, NUL and lone surrogates their sting."""
    error = error_of(caught(read_row, 1, "\0\ud800" + "x" * 100_000), "y" * 100_000)

    assert len(error.message) < MAX_MESSAGE + 100
    assert "characters left out" in error.message
    assert len(str(error.traceback)) < MAX_TRACEBACK + 100
    assert "\0" not in error.message
    assert error.message.encode()


def test_a_message_that_cannot_be_read_costs_itself_alone() -> None:
    """Somebody's __str__ raises."""

    class Mute(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError

    assert error_of(Mute()).message == "<its message cannot be read: RuntimeError>"
