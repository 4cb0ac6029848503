"""What Celery beat sends, and how often. Data only; the periods come from the settings."""

from monitor.settings import Settings

MINUTE_S = 60
DAY_S = 24 * 60 * MINUTE_S

_settings = Settings.from_env()

EVERY_S = {
    "queues": _settings.queues_every_s,
    "broker": _settings.broker_every_s,
    "databases": _settings.databases_every_s,
    "workers": _settings.workers_every_s,
    "schedules": _settings.schedules_every_s,
    "canaries": _settings.canaries_every_s,
    "jobs": MINUTE_S,
    "prune_store": DAY_S,
}

BEAT_SCHEDULE = {
    name: {
        "task": f"monitoring.{name}",
        "schedule": period_s,
        # When the next one is due, this one is of no use any more: neither waiting nor hanging.
        "options": {"queue": "monitoring", "expires": period_s, "soft_time_limit": period_s},
    }
    for name, period_s in EVERY_S.items()
}
