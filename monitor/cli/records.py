"""What `--json` prints: one array of objects, with the fields of the store, times in ISO 8601 (UTC, milliseconds)."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from monitor.job import Event, Job
from monitor.life import seconds
from monitor.store.measured import Noted
from monitor.store.reads import Story

Record = dict[str, Any]


def echo(records: Iterable[Record]) -> None:
    """Print the records as one JSON array, in ASCII: so no locale and no text of a job's can spoil it."""
    click.echo(json.dumps(list(records), indent=2))


def of_story(story: Story) -> Record:
    """Return a job's whole life."""
    return {
        "job": of_job(story.job),
        "runs": [_of(run) for run in story.runs],
        "events": [of_event(event) for event in story.events],
        "family": [of_job(relative) for relative in story.family],
    }


def of_job(job: Job) -> Record:
    """Return a job's fields, and its state."""
    return {"id": job.id, "state": str(job.state), **_of(job)}


def of(fields: Mapping[str, Any]) -> Record:
    """Return fields as they are printed: by their names, `…_at` is a time, and `…_s` a length in seconds."""
    return {name: _value(name, value) for name, value in fields.items()}


def of_notes(notes: Iterable[Noted]) -> Record:
    """Return what is noted about something by name, and since when it is said."""
    return {noted.name: of({"text": noted.text, "first_said_at": noted.since, "said_at": noted.at}) for noted in notes}


def of_event(event: Event) -> Record:
    """Return what an event is called, and its fields."""
    return {"event": event.__struct_config__.tag, **_of(event)}


def _of(struct: msgspec.Struct) -> Record:
    return of(msgspec.structs.asdict(struct))


def _value(name: str, value: Any) -> Any:
    if value is None or isinstance(value, Mapping):
        return value
    if name == "at" or name.endswith("_at"):
        return _iso(value)
    if name in {"eta", "expires"}:
        at = seconds(value)
        return value if at is None else _iso(at)
    if name.endswith("_s"):
        return round(value, 6)
    if name in {"arguments", "labels"}:
        return msgspec.json.decode(value)
    return _of(value) if isinstance(value, msgspec.Struct) else value


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
