"""The family: who sent whom, as a tree, with this job in it however large it is."""

from __future__ import annotations

from monitor.cli import family
from monitor.job import Fate, Job
from tests.monitor.cli.screens import plain, printed, terminal


def member(id_: str, parent: str | None = None, fate: Fate | None = Fate.SUCCEEDED) -> Job:
    """Return a job of the family."""
    return Job(id=id_, task=f"task-{id_}", parent=parent, fate=fate, root="a")


def shown(job: str, *members: Job) -> list[str]:
    """Return the tree as printed to a file."""
    console = plain()
    family.show(console, next(one for one in members if one.id == job), members)
    return printed(console)


def test_children_stand_below_their_parents() -> None:
    """In the order in which they were sent, with this job marked."""
    lines = shown("c", member("a"), member("b", "a"), member("c", "b", Fate.FAILED), member("d", "a", None))

    assert lines == [
        "succeeded task-a a",
        "  succeeded task-b b",
        "    failed task-c c this job",
        "  waiting task-d d",
    ]


def test_a_terminal_gets_lines_and_glyphs() -> None:
    """Ids are short there."""
    console = terminal(80)
    job = member("c1ce922a-3330-494b-ac25-59d4c8e251b6", "a", Fate.LOST)

    family.show(console, job, [member("a"), job])

    assert printed(console) == ["✓ task-a a", f"└── ✗ task-{job.id} c1ce922a this job"]


def test_a_retry_that_names_the_job_as_its_own_parent_is_no_circle() -> None:
    """Celery writes it so."""
    assert shown("b", member("a"), member("b", "b")) == ["succeeded task-a a", "succeeded task-b b this job"]


def test_a_circle_of_parents_ends() -> None:
    """Whatever a broken sender writes, this job is shown."""
    assert any("this job" in line for line in shown("a", member("a", "b"), member("b", "a")))


def test_a_parent_that_is_not_in_the_store_is_named() -> None:
    """It was pruned, or sent by something that is not monitored."""
    assert shown("b", member("b", "gone")) == ["succeeded task-b b this job sent by gone, which is not in this store"]


def test_of_many_children_those_that_went_wrong_and_this_job_are_shown() -> None:
    """The others are summed up by state."""
    children = [member(f"c{number}", "a") for number in range(200)]
    children[150] = member("c150", "a", Fate.LOST)

    lines = shown("c100", member("a"), *children)

    assert len(lines) == 1 + family.MOST_CHILDREN + 1
    assert any(line.endswith("c100 this job") for line in lines)
    assert "  lost task-c150 c150" in lines
    assert lines[-1] == "  … 192 more: 192 succeeded"


def test_of_a_long_chain_the_part_around_this_job_is_shown() -> None:
    """What lies above and below is counted."""
    chain = [member("a"), *(member(f"n{number}", f"n{number - 1}" if number else "a") for number in range(100))]

    lines = shown("n50", *chain)

    assert lines[:2] == ["… 46 jobs above", "succeeded task-n45 n45"]
    assert lines[-1].strip() == "… 1 more: 1 succeeded"
    assert len(lines) < 20
