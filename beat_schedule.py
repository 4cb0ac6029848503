"""What Celery beat sends, and how often. Data only."""

DAY_S = 24 * 60 * 60

BEAT_SCHEDULE = {
    "prune-store": {
        "task": "monitoring.prune_store",
        "schedule": DAY_S,
        # When the next one is due, this one is of no use any more.
        "options": {"queue": "monitoring", "expires": DAY_S},
    },
}
