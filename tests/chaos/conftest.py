"""What all chaos tests use."""

from collections.abc import Callable

import pytest


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Prints lines that are shown also where the test passes: its figures."""

    def say(*lines: str) -> None:
        with capsys.disabled():
            print("", *lines, sep="\n")  # noqa: T201 (figures to be read)

    return say
