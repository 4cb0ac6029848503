"""Tracebacks: the application's own frames stand out, those of libraries are folded away."""

from __future__ import annotations

import json
import traceback

from rich.text import Text

from monitor.cli import frames

CELERY = """\
  File "/srv/venv/lib/python3.11/site-packages/celery/app/trace.py", line 564, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
  File "/srv/venv/lib/python3.11/site-packages/celery/app/trace.py", line 883, in __protected_call__
    return self.run(*args, **kwargs)
"""
OWN = """\
  File "/srv/shop/export.py", line 88, in export
    writer.write_table(chunk)
"""
PANDAS = """\
  File "/srv/venv/lib/python3.11/site-packages/pandas/io.py", line 7, in to_csv
    raise OSError(28)
"""
HEAD = "Traceback (most recent call last):\n"
END = "OSError: [Errno 28] No space left\n"


def folded(text: str, own_package: str = "shop") -> list[str]:
    """Return the lines of the folded traceback."""
    shown = frames.folded(text, own_package)
    assert shown is not None
    return shown.plain.splitlines()


def styles(text: Text, part: str) -> set[str]:
    """Return the styles of a part of the text."""
    at = text.plain.index(part)
    return {str(span.style) for span in text.spans if span.start <= at < span.end}


def test_frames_of_libraries_are_folded_where_they_stand() -> None:
    """One line says how many, and whose."""
    assert folded(HEAD + CELERY + OWN + PANDAS + END) == [
        "Traceback (most recent call last):",
        "  … 2 frames of celery hidden",
        *OWN.splitlines(),
        "  … 1 frame of pandas hidden",
        "OSError: [Errno 28] No space left",
    ]


def test_python_s_own_library_is_one_too() -> None:
    """A real traceback, through json."""
    try:
        json.loads("{")
    except ValueError:
        written = traceback.format_exc()

    lines = folded(written)

    assert any(line.endswith("in test_python_s_own_library_is_one_too") for line in lines)
    assert "  … 3 frames of Python hidden" in lines
    assert lines[-1].startswith("json.decoder.JSONDecodeError: ")


def test_all_tracebacks_of_a_chain_are_folded() -> None:
    """A cause, and what came of it."""
    middle = "\nThe above exception was the direct cause of the following exception:\n\n"

    lines = folded(HEAD + OWN + "KeyError: 1\n" + middle + HEAD + CELERY + OWN + END)

    assert lines.count("  … 2 frames of celery hidden") == 1
    assert lines.count(OWN.splitlines()[0]) == 2
    assert middle.strip() in lines


def test_the_application_is_no_library_where_it_is_installed() -> None:
    """The task's package tells which one it is."""
    lines = folded(HEAD + CELERY + OWN + PANDAS + END, own_package="pandas")

    assert lines[1:-1] == ["  … 2 frames of celery hidden", *OWN.splitlines(), *PANDAS.splitlines()]


def test_where_no_frame_is_the_application_s_only_celery_is_folded() -> None:
    """What is left may be the application, installed under a name that the task does not tell."""
    lines = folded(HEAD + CELERY + PANDAS + END)

    assert lines[1:3] == ["  … 2 frames of celery hidden", PANDAS.splitlines()[0]]


def test_a_traceback_of_celery_alone_is_not_shown() -> None:
    """It says nothing that the error does not."""
    assert frames.folded(HEAD + CELERY + END, "shop") is None


def test_the_innermost_frame_of_the_application_stands_out() -> None:
    """There the reader begins."""
    inner = OWN.replace("88", "91").replace("write_table", "flush")

    text = frames.folded(HEAD + OWN + inner + PANDAS + END, "shop")

    assert text is not None
    assert styles(text, "writer.flush") == {"bold red"}
    assert styles(text, "writer.write_table") == {"bold"}


def test_what_is_no_traceback_stays_as_it_is() -> None:
    """Other programs may write into that field."""
    assert folded("it went\nwrong") == ["it went", "wrong"]
