"""What the platform takes from the environment: its broker, its results, and how long a job may run."""

import os
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from celery.app.backends import BACKEND_ALIASES
from kombu.transport import TRANSPORT_ALIASES

from monitor.settings import refuse


@dataclass(frozen=True, slots=True)
class Settings:
    """The platform's settings; the comment beside each field says what it is."""

    broker_url: str  # CELERY_BROKER_URL: where the jobs wait
    result_backend: str  # CELERY_RESULT_BACKEND: where the results are kept
    time_limit_s: int  # WORKERS_TIME_LIMIT_S: after this, a job is ended by force

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read all settings.

        Raises:
            SettingsError: naming every faulty setting at once; SystemExit on Celery's command line, which has said it.

        """
        broker_url = env.get("CELERY_BROKER_URL") or "redis://127.0.0.1:6379/0"
        result_backend = env.get("CELERY_RESULT_BACKEND") or "redis://127.0.0.1:6379/1"
        time_limit = env.get("WORKERS_TIME_LIMIT_S") or "120"
        faults = [
            *_url_faults("CELERY_BROKER_URL", broker_url, TRANSPORT_ALIASES),
            *_url_faults("CELERY_RESULT_BACKEND", result_backend, BACKEND_ALIASES),
            *_seconds_faults("WORKERS_TIME_LIMIT_S", time_limit),
        ]
        if faults:
            refuse(faults)
        return cls(broker_url, result_backend, int(time_limit))


def _url_faults(variable: str, url: str, schemes: Container[str]) -> Iterator[str]:
    scheme, separator, _ = url.partition("://")
    if scheme.partition("+")[0] not in schemes:
        # The text may hold a password: only its scheme is repeated.
        came = f"one that begins with {scheme + separator!r}" if separator else "a text without a scheme"
        yield f"{variable}: expected a URL like redis://127.0.0.1:6379/0 of a kind that Celery knows, got {came}."


def _seconds_faults(variable: str, text: str) -> Iterator[str]:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        yield f"{variable}: expected a whole number of seconds, at least 1, got {text!r}."
