"""The optimization platform: its Celery application (`celery -A workers …`), its jobs, and a demo of it all."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Make the application when Celery asks for it: whoever needs but a part of the platform configures nothing."""
    if name != "celery":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from celery.utils.imports import import_from_cwd  # noqa: PLC0415 - see above

    # Celery's command line has the working directory in its path for single imports only.
    return import_from_cwd("workers.app").app
