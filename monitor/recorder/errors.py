"""From an exception to an `Error`: its words, bounded, and a fingerprint that is the same for the same fault."""

import re
import sysconfig
import traceback
from hashlib import blake2b
from types import TracebackType

from monitor.job import Error

MAX_MESSAGE = 2_000
MAX_TRACEBACK = 10_000

LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})

# Ids, addresses and numbers, so that «row 17 of run-48211» and «row 3 of run-5» are one fault.
CHANGING = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\b|\d+", re.IGNORECASE)


def error_of(exception: BaseException, written: str | None = None) -> Error:
    """Return what went wrong; `written` is the traceback's text where the exception carries none itself."""
    kind = kind_of(exception)
    message = _words(exception)
    trace = exception.__traceback__
    text = "".join(traceback.format_exception(exception)) if trace else written
    shown = clip(text, MAX_TRACEBACK) if text else None
    return Error(kind, clip(message, MAX_MESSAGE), shown, _fingerprint(kind, message, trace))


def kind_of(exception: BaseException) -> str:
    """Return the exception's class, with its module but for the built-in ones.

    Celery wraps what cannot be pickled: the wrapper's class is not the fault's.
    """
    wrapped = getattr(exception, "exc_cls_name", None)
    if wrapped:
        return f"{exception.exc_module}.{wrapped}"  # type: ignore[attr-defined]
    cls = type(exception)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def clip(text: str, most: int) -> str:
    """Return the text made storable, its middle cut out where it is longer than `most` characters."""
    text = text.encode("utf-8", "replace").decode().replace("\0", "\\0")
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _words(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception as fault:  # noqa: BLE001 (somebody's __str__ is broken: the failure is recorded all the same)
        return f"<its message cannot be read: {type(fault).__name__}>"


def _fingerprint(kind: str, message: str, trace: TracebackType | None) -> str:
    """Return the hash of class and place; of class and message where there is no place."""
    place = _own_place(trace) if trace else CHANGING.sub("#", message[:MAX_MESSAGE])
    return blake2b(f"{kind}\n{place}".encode("utf-8", "replace"), digest_size=6).hexdigest()


def _own_place(trace: TracebackType) -> str:
    """Return file and function of the innermost frame that is the application's own, else of the innermost one.

    Without a line number, which every deploy moves.
    """
    places = [(frame.f_code.co_filename, frame.f_code.co_qualname) for frame, _ in traceback.walk_tb(trace)]
    own = [place for place in places if not place[0].startswith((*LIBRARIES, "<"))]
    filename, function = (own or places)[-1]
    return CHANGING.sub("#", f"{filename.rpartition('/')[2]}:{function}")
