"""Reads what was measured, as the tests want it."""

from monitor.sample import Distribution, Measured


def figures(measured: Measured, database: str = "orders") -> dict[str, float]:
    """The values of one database, by metric; without those by application."""
    return {
        sample.metric: number(sample.value)
        for sample in measured.samples
        if sample.dimensions == (("Database", database),)
    }


def applications(measured: Measured) -> dict[str, float]:
    """The connections by application name."""
    told = (sample for sample in measured.samples if sample.metric == "DatabaseConnectionsByApplication")
    return {sample.dimensions[1][1]: number(sample.value) for sample in told}


def notes(measured: Measured, subject: str = "database:orders") -> dict[str, str]:
    """What is noted of a subject, by name; without what is said to be over."""
    return {note.name: note.text for note in measured.notes if note.subject == subject and note.text is not None}


def number(value: float | Distribution) -> float:
    """The value, which is no distribution."""
    assert not isinstance(value, Distribution)
    return value
