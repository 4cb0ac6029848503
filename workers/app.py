"""The Celery application: its queues, and a configuration each line of which has its reason."""

from typing import Any

from celery import Celery
from kombu.entity import Queue

from beat_schedule import BEAT_SCHEDULE
from monitor import install
from workers.kombu_guard import guard
from workers.settings import Settings

RESULTS_KEPT_S = 24 * 60 * 60
SOCKET_TIMEOUT_S = 10
HEALTH_CHECK_INTERVAL_S = 10
RESTORE_INTERVAL_S = 5
# The middle, so that a job can be sent ahead of the others or behind them.
# Redis serves the lower numbers first, RabbitMQ the higher ones.
DEFAULT_PRIORITY = 5
MAX_PRIORITY = 9


def make_app(settings: Settings) -> Celery:
    """Return the platform's application, recorded by the monitor."""
    app = Celery("workers", include=["workers.optimization", "workers.files", "workers.monitoring"])
    app.conf.update(_connections(settings))
    app.conf.update(_queues())
    app.conf.update(_jobs(settings.time_limit_s))
    app.conf.beat_schedule = BEAT_SCHEDULE
    guard()
    install(app)
    return app


def _connections(settings: Settings) -> dict[str, Any]:
    return {
        "broker_url": settings.broker_url,
        "broker_connection_retry_on_startup": True,
        # For ever: a worker that gives up on its broker is one that nobody starts again.
        "broker_connection_max_retries": None,
        "broker_transport_options": _transport_options(settings),
        "result_backend": settings.result_backend,
        "result_expires": RESULTS_KEPT_S,
        "redis_socket_timeout": SOCKET_TIMEOUT_S,
        "redis_socket_connect_timeout": SOCKET_TIMEOUT_S,
        "redis_socket_keepalive": True,
        "redis_backend_health_check_interval": HEALTH_CHECK_INTERVAL_S,
        "timezone": "UTC",
    }


def _transport_options(settings: Settings) -> dict[str, Any]:
    transport = settings.broker_url.partition("://")[0]
    if transport in {"amqp", "amqps", "pyamqp"}:
        # A job counts as sent when the broker has it, not when it was written to a socket.
        return {"confirm_publish": True}
    if transport in {"redis", "rediss"}:
        return {
            # Without a timeout, a connection that died without a word hangs the worker until somebody restarts it.
            "socket_timeout": SOCKET_TIMEOUT_S,
            "socket_connect_timeout": SOCKET_TIMEOUT_S,
            "socket_keepalive": True,
            "health_check_interval": HEALTH_CHECK_INTERVAL_S,
            # A message that is not acknowledged for so long is given to another worker. Shorter than the longest job,
            # and that job runs twice at once; the same goes for the longest countdown a job is sent with.
            "visibility_timeout": 2 * settings.time_limit_s,
            # Looked for every 5 s instead of every 100 s, the default of the two together.
            "unacked_restore_interval": RESTORE_INTERVAL_S,
            "unacked_restore_throttle": 1,
        }
    return {}


def _queues() -> dict[str, Any]:
    names = ("optimization", "file-processing", "monitoring")
    return {
        "task_queues": [Queue(name, max_priority=MAX_PRIORITY) for name in names],  # type: ignore[no-untyped-call]
        "task_default_queue": "optimization",
        "task_routes": {
            "optimization.*": {"queue": "optimization"},
            "files.*": {"queue": "file-processing"},
            "monitoring.*": {"queue": "monitoring"},
        },
        # A queue that is not listed has no worker: sending to it is refused, instead of forgotten there.
        "task_create_missing_queues": False,
        "task_default_priority": DEFAULT_PRIORITY,
    }


def _jobs(time_limit_s: int) -> dict[str, Any]:
    return {
        "task_time_limit": time_limit_s,
        # The rest is for the job to end in order: to clean up, and to tell why.
        "task_soft_time_limit": 0.8 * time_limit_s,
        # Every job here may run again without harm: a solver answers the same twice, a file read twice costs a second
        # solving. So a job is acknowledged when it is done, and the death of a whole worker or host loses none.
        "task_acks_late": True,
        # But a job whose own process was killed has most likely killed it, by the memory it took. Given back, it would
        # kill one process after the other, and nobody would be told: it fails instead, and says why.
        "task_reject_on_worker_lost": False,
        # When the broker's connection is lost, running jobs go on to their end and keep their results. Their messages
        # come back later and they run once more: dear, but cancelled jobs would have no result until then.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Jobs are long: one that is reserved by a busy worker would wait beside an idle one.
        "worker_prefetch_multiplier": 1,
    }


app = make_app(Settings.from_env())
