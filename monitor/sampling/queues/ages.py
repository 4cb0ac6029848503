"""How long the oldest job of a queue has waited.

Messages of a sender with the recorder tell when they were sent. Of others only a lower bound is known: the store keeps
since when the same message has been the next one to be taken.
"""

from collections.abc import Mapping

from monitor.sample import Measured
from monitor.sampling.queues.sight import Look, Tail
from monitor.store.measured import Noted


def tell_age(measured: Measured, at: float, name: str, look: Look, notes: Mapping[tuple[str, str], Noted]) -> None:
    """Add the age of the queue's oldest job: 0 when none waits, no sample when it cannot be told."""
    subject = f"queue:{name}"
    watched = {f"tail {step}": tail for step, tail in look.tails.items() if tail.since is None}
    for note, tail in watched.items():
        measured.note(subject, note, tail.identity)
    for its_subject, note in notes:
        if its_subject == subject and note.startswith("tail ") and note not in watched:
            measured.note(subject, note, None)
    ages = [at - tail.since for tail in look.tails.values() if tail.since is not None]
    ages += [_watched_s(at, tail, notes.get((subject, note))) for note, tail in watched.items()]
    if ages or not look.waiting:
        measured.add("OldestJobAge", at, max(0.0, *ages, 0.0), QueueName=name)


def _watched_s(at: float, tail: Tail, noted: Noted | None) -> float:
    return at - noted.since if noted and noted.text == tail.identity else 0.0
