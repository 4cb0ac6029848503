"""The file-processing jobs: a client's CSV file becomes a checked scenario, and the optimization job that solves it."""

from pathlib import Path

from celery import shared_task

from monitor import label
from workers import optimization
from workers.client_csv import read_client_csv
from workers.scenarios import type_name


@shared_task(name="files.process")
def process(path: str) -> dict[str, str]:
    """Read the client's file at `path` and send the job it feeds; return the scenario's type and id, and the job's id.

    The file's format stands in `workers.client_csv`.

    Raises:
        BadFile: naming line and column of every fault, what was expected there and what came.

    """
    scenario = read_client_csv(Path(path))
    named = {"scenario_type": type_name(type(scenario)), "scenario_id": scenario.scenario_id}
    label(**named)
    # Sent from within this job, it carries this job's id as its parent's, and the family can be followed.
    return {**named, "job_id": str(optimization.send(scenario).id)}
