"""A traceback as its reader needs it: the application's own frames stand out, those of libraries are folded away."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from rich.text import Text

FRAME = re.compile(r'(?P<indent>[\s|]*)File "(?P<path>.+?)", line \d+')
INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\](?P<package>\w+)")
STANDARD = re.compile(r"[/\\]lib(?:64)?[/\\]python\d[^/\\]*[/\\]|^<frozen ")

# What carries every job. Where no frame is the application's own, nothing else is folded.
MACHINERY = frozenset({"amqp", "billiard", "celery", "kombu", "Python", "vine"})


@dataclass(slots=True, eq=False)
class Piece:
    """A frame with its code, and the library that it is of; or, without a path, a line that stands between frames."""

    lines: list[str]
    path: str | None = None
    library: str | None = None
    is_hidden: bool = field(default=False, init=False)

    @property
    def is_own(self) -> bool:
        """Whether it is a frame of the application's own."""
        return self.path is not None and self.library is None


def folded(traceback: str, own_package: str) -> Text | None:
    """Return a traceback with the frames of libraries folded; None where that leaves no frame to be seen.

    `own_package` is the application's, even where it is installed like a library.
    """
    pieces = list(_pieces(traceback.splitlines(), own_package))
    own = [piece for piece in pieces if piece.is_own]
    for piece in pieces:
        piece.is_hidden = piece.library is not None if own else piece.library in MACHINERY
    are_hidden = [piece.is_hidden for piece in pieces if piece.path]
    if are_hidden and all(are_hidden):
        return None
    groups = groupby(pieces, key=lambda piece: piece.is_hidden)
    return Text("\n").join(
        line for is_hidden, group in groups for line in (_fold(group) if is_hidden else _lines(group, own[-1:]))
    )


def _pieces(lines: Iterable[str], own_package: str) -> Iterator[Piece]:
    piece, indent = Piece([]), 0
    for line in lines:
        found = FRAME.match(line)
        if found:
            yield piece
            piece, indent = Piece([line], found["path"], _library(found["path"], own_package)), len(found["indent"])
        elif piece.path and len(line) - len(line.lstrip(" |")) > indent:
            piece.lines.append(line)
        else:
            yield piece
            piece = Piece([line])
    yield piece


def _library(path: str, own_package: str) -> str | None:
    installed = INSTALLED.search(path)
    if installed:
        return installed["package"] if installed["package"] != own_package else None
    return "Python" if STANDARD.search(path) else None


def _fold(group: Iterable[Piece]) -> Iterator[Text]:
    frames = list(group)
    libraries = ", ".join(dict.fromkeys(str(frame.library) for frame in frames))
    yield Text(f"  … {len(frames)} {'frame' if len(frames) == 1 else 'frames'} of {libraries} hidden", "dim italic")


def _lines(group: Iterable[Piece], innermost: list[Piece]) -> Iterator[Text]:
    """Yield the lines of pieces that are shown; of the innermost frame of the application's own the code is red."""
    for piece in group:
        if piece.path is None:
            yield from (Text(line, "dim" if line.lstrip(" |+").startswith("Traceback") else "") for line in piece.lines)
            continue
        header, *code = piece.lines
        yield Text(header, "" if piece.is_own else "dim")
        style = "bold red" if piece in innermost else "bold" if piece.is_own else "dim"
        # What is left of a line of ^^^^ below the code says nothing alone.
        yield from (Text(line, style if line.strip(" ^~|") else "dim") for line in code)
