"""A wrong setting is told in a sentence, all of them at once, and without a secret."""

import subprocess
import sys
from pathlib import Path

import pytest

from monitor.settings import SettingsError
from tests.workers_process import REPOSITORY, worker_environment
from workers.settings import Settings

REDIS = "redis://127.0.0.1:6379"
WRONG = {
    "CELERY_BROKER_URL": "rabbit://user:secret@host//",
    "CELERY_RESULT_BACKEND": "secret",
    "WORKERS_TIME_LIMIT_S": "1.5",
}
TOLD = """\
CELERY_BROKER_URL: expected a URL like redis://127.0.0.1:6379/0 of a kind that Celery knows, got one that begins with \
'rabbit://'.
CELERY_RESULT_BACKEND: expected a URL like redis://127.0.0.1:6379/0 of a kind that Celery knows, got a text without a \
scheme.
WORKERS_TIME_LIMIT_S: expected a whole number of seconds, at least 1, got '1.5'.
"""


@pytest.mark.parametrize("env", [{}, dict.fromkeys(WRONG, "")], ids=["absent", "empty"])
def test_without_settings_the_platform_uses_a_local_redis(env: dict[str, str]) -> None:
    """An empty variable is no setting."""
    assert Settings.from_env(env) == Settings(f"{REDIS}/0", f"{REDIS}/1", time_limit_s=120)


@pytest.mark.parametrize("url", ["rediss://:p@h:1/0", "amqp://u:p@h//", "sqs://", "sqla+sqlite:///x", "memory://"])
def test_every_broker_that_celery_knows_is_taken(url: str) -> None:
    """What Celery can use is not refused."""
    assert Settings.from_env({"CELERY_BROKER_URL": url}).broker_url == url


@pytest.mark.parametrize("url", ["db+postgresql://h/d", "cache+memcached://h", "rpc://", "file:///var/results"])
def test_every_result_backend_that_celery_knows_is_taken(url: str) -> None:
    """What Celery can use is not refused."""
    assert Settings.from_env({"CELERY_RESULT_BACKEND": url}).result_backend == url


def test_every_wrong_setting_is_told_at_once() -> None:
    """What was expected and what came, but for what may be a password."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(WRONG)

    assert caught.value.message.splitlines() == TOLD.splitlines()


def test_celerys_command_line_tells_it_without_a_traceback() -> None:
    """The message alone, and exit status 2; in the repository, Celery finds the application by itself."""
    celery = str(Path(sys.executable).with_name("celery"))
    env = worker_environment(WRONG) | {"PYTHONPATH": ""}
    command = [celery, "-A", "workers", "worker"]

    done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"Error: {TOLD}")
