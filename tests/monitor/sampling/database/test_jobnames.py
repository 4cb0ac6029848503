"""A connection's name leads to the job, whatever the job and its task are called."""

import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sampling.database import job_of
from monitor.sampling.database.jobnames import connection_name

JOB = "8f0c2b1e-5d4a-4c62-9a51-0d6f5a3b7c9e"


def test_a_name_leads_back_to_its_job() -> None:
    """The id is whole, and so is a task's name that fits."""
    name = connection_name(JOB, "optimization.solve")

    assert name == f"celery:{JOB}:optimization.solve"
    assert job_of(name) == (JOB, "optimization.solve")


def test_of_a_long_task_name_the_end_is_kept() -> None:
    """The end tells tasks apart; the beginning is the same for all of one package."""
    name = connection_name(JOB, "platform.optimization.tasks.solve_scenario")

    assert name == f"celery:{JOB}:..ks.solve_scenario"
    assert len(name) == 63


@given(job=st.uuids().map(str) | st.text(string.printable, min_size=1, max_size=70), task=st.text(min_size=1))
def test_a_name_is_kept_by_postgresql_and_safe_in_sql(job: str, task: str) -> None:
    """Whatever the names are, what comes out fits, needs no quoting, and has the whole id in it; or nothing comes."""
    name = connection_name(job, task)

    if name is not None:
        found = job_of(name)
        assert len(name.encode()) <= 63
        assert not set(name) & set("'\"\\% \n")
        assert found
        assert found[0] == job


@pytest.mark.parametrize("job", ["x" * 60, "o'clock", "größe", "a b", ""])
def test_an_id_that_postgresql_would_not_keep_gives_no_name(job: str) -> None:
    """Half an id, or a changed one, leads to no job: there is none then."""
    assert connection_name(job, "solve") is None


@pytest.mark.parametrize("name", ["", "web", "celery", "celery:", f"celery:{JOB}", f"celery:{JOB}:", str(uuid.uuid4())])
def test_other_names_are_no_jobs(name: str) -> None:
    """What is named by others is not taken for a job."""
    assert job_of(name) is None
