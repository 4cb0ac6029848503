"""The commands as a person calls them, on both kinds of store."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from monitor.job import Fate
from monitor.lease import Lease, Role
from monitor.store.measured import leases_since, renew_lease
from monitor.store.migrate import HEAD
from tests.monitor.cli.screens import call, save
from tests.monitor.events import ended, error, sent, started, told

if TYPE_CHECKING:
    from sqlalchemy import Engine

DAY_S = 86_400


@pytest.fixture
def shop(store: Engine, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A store with a failed job of an hour ago, its child that runs, and a job that waits."""
    monkeypatch.setenv("MONITOR_STORE_URL", store_url)
    now = time.time()
    arguments = '{"args":["results"],"kwargs":{"token":"[hidden]"}}'
    save(
        store,
        sent(job="c1ce922a-failed", at=now - 3_610, task="export", queue="exports", arguments=arguments),
        started(job="c1ce922a-failed", at=now - 3_605, run="p-1", task="export", queue="exports", sent_at=now - 3_610),
        ended(
            job="c1ce922a-failed", at=now - 3_600, run="p-1", fate=Fate.FAILED, error=error(), labels={"size": "small"}
        ),
    )
    save(
        store,
        sent(job="c1ce922a-child", at=now - 60, root="c1ce922a-failed", parent="c1ce922a-failed"),
        started(job="c1ce922a-child", at=now - 50, run="p-2", sent_at=now - 60, root="c1ce922a-failed"),
    )
    save(store, sent(job="0b4d-waiting", at=now - 30, task="tidy"))
    return store


@pytest.fixture
def empty_shop(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store without jobs."""
    monkeypatch.setenv("MONITOR_STORE_URL", store_url)


def read(*arguments: str) -> Any:
    """Return what a command with `--json` prints, and nothing else."""
    result = call(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


@pytest.mark.usefixtures("shop")
def test_jobs_are_listed_with_the_latest_event_first() -> None:
    """And summed up by state."""
    result = call("jobs")

    assert [line.split()[0] for line in result.stdout.splitlines() if line][:-1] == [
        "id",
        "0b4d-waiting",
        "c1ce922a-child",
        "c1ce922a-failed",
    ]
    assert result.stdout.endswith("\n\n3 jobs: 1 failed, 1 waiting, 1 running\n")


@pytest.mark.usefixtures("shop")
def test_filters_narrow_the_list() -> None:
    """Each by itself and together; where none matches, JSON is an empty array."""
    expected = {
        "--fate failed": {"c1ce922a-failed"},
        "--fate failed --fate waiting": {"c1ce922a-failed", "0b4d-waiting"},
        "--fate running": {"c1ce922a-child"},
        "--task tidy": {"0b4d-waiting"},
        "--queue exports": {"c1ce922a-failed"},
        "--worker w1@alpha": {"c1ce922a-failed", "c1ce922a-child"},
        "--since 30m": {"c1ce922a-child", "0b4d-waiting"},
        "--since 2h --limit 1": {"0b4d-waiting"},
        "--task export --fate running": set(),
    }

    found = {options: {job["id"] for job in read("jobs", *options.split())} for options in expected}

    assert found == expected


@pytest.mark.usefixtures("shop")
def test_json_is_one_array_with_all_fields_of_each_job() -> None:
    """Times in ISO 8601, arguments and labels as objects."""
    (job,) = read("jobs", "--fate", "failed")

    assert (job["id"], job["state"], job["runs"], job["run_s"]) == ("c1ce922a-failed", "failed", 1, 2.0)
    assert job["arguments"] == {"args": ["results"], "kwargs": {"token": "[hidden]"}}
    assert job["labels"] == {"size": "small"}
    assert job["wait_s"] == pytest.approx(5.0, abs=0.001)
    assert all(
        text is None or (text.endswith("Z") and len(text) == 24) for name, text in job.items() if name.endswith("_at")
    )


@pytest.mark.usefixtures("shop")
def test_json_of_one_job_is_its_whole_life() -> None:
    """An array of one object: the job, its runs, its events, its family."""
    (life,) = read("job", "c1ce922a-failed")

    assert list(life) == ["job", "runs", "events", "family"]
    assert (life["job"]["id"], life["runs"][0]["traceback"]) == ("c1ce922a-failed", "Traceback …")
    assert [event["event"] for event in life["events"]] == ["sent", "started", "ended"]
    assert life["events"][2]["error"]["kind"] == "ValueError"
    assert [relative["id"] for relative in life["family"]] == ["c1ce922a-failed", "c1ce922a-child"]


@pytest.mark.usefixtures("shop")
def test_a_job_is_found_by_the_beginning_of_its_id() -> None:
    """As long as no other begins so."""
    result = call("job", "c1ce922a-f")

    assert result.exit_code == 0
    assert result.stdout.startswith("export  failed\nc1ce922a-failed\n")


@pytest.mark.usefixtures("shop")
def test_an_id_that_several_begin_with_names_them() -> None:
    """So that one can be chosen."""
    result = call("job", "c1ce922a")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "Several ids begin with 'c1ce922a'" in result.stderr
    assert "c1ce922a-child, c1ce922a-failed." in result.stderr


@pytest.mark.usefixtures("shop")
def test_an_unknown_id_is_said_to_be_so() -> None:
    """With what came, and where it was looked for."""
    result = call("job", "nosuch%", "--json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: No job in ")
    assert result.stderr.endswith(" has an id that begins with 'nosuch%': see `monitor jobs`.\n")


@pytest.mark.usefixtures("empty_shop")
def test_an_empty_store_is_said_to_be_empty() -> None:
    """That is not the same as nothing that matches."""
    result = call("jobs", "--fate", "failed")

    assert result.exit_code == 0
    assert result.stdout.startswith("No jobs yet in this store: ")
    assert read("jobs") == []


@pytest.mark.usefixtures("shop")
def test_when_no_job_matches_it_is_said_which_there_are() -> None:
    """Within the time that was asked for, or else when the last was heard of."""
    lost = call("jobs", "--fate", "lost", "--since", "30m").stdout
    all_time = call("jobs", "--queue", "export").stdout
    too_late = call("jobs", "--since", "1s").stdout

    assert lost == "No job matches --fate lost --since 30m: 2 jobs in that time, by state: 1 waiting, 1 running.\n"
    assert all_time.splitlines() == [
        "No job matches --queue export: 3 jobs in this store, by state: 1 failed, 1 waiting, 1 running.",
        "Of the latest 10,000 jobs none has the queue 'export'; the closest is 'exports'.",
    ]
    assert too_late.startswith(
        "No job matches --since 1s: nothing happened to any job in that time; the latest event is 3"
    )


def test_a_store_is_made_and_brought_up_to_date_by_command(
    empty_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command again changes nothing."""
    monkeypatch.setenv("MONITOR_STORE_URL", empty_store_url)

    first, second = call("store", "upgrade"), call("store", "upgrade")

    assert first.stdout.endswith(f" has schema {HEAD} now; before it had none.\n")
    assert second.stdout.endswith(f" has schema {HEAD} already.\n")
    assert call("jobs").stdout.startswith("No jobs yet in this store")


def test_pruning_forgets_old_leases_too(shop: Engine) -> None:
    """Every worker and beat leaves one, whether anything else is measured or not."""
    now = time.time()
    for process, renewed_at in (("old", now - 16 * DAY_S), ("young", now)):
        renew_lease(
            shop,
            Lease(
                role=Role.WORKER,
                name="w1@alpha",
                process=process,
                host="alpha",
                pid=7,
                started_at=renewed_at,
                renewed_at=renewed_at,
                period_s=5.0,
            ),
        )

    call("store", "prune")

    assert [lease.process for lease in leases_since(shop, since=0.0)] == ["young"]


def test_old_jobs_with_a_fate_are_pruned(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 90 days, after what is set, or after what is asked for."""
    then = time.time() - 40 * DAY_S
    save(shop, sent(job="old", at=then), told(job="old", at=then + 1, fate=Fate.EXPIRED, sent_at=then))
    save(shop, sent(job="old-but-waiting", at=then))

    kept = call("store", "prune").stdout
    monkeypatch.setenv("MONITOR_RETENTION_DAYS", "50")
    kept_too = call("store", "prune").stdout
    pruned = call("store", "prune", "--older-than-days", "30").stdout

    assert kept.startswith("Deleted 0 jobs older than 90 days from ")
    assert kept_too.startswith("Deleted 0 jobs older than 50 days from ")
    assert pruned.startswith("Deleted 1 job older than 30 days from ")
    assert {job["id"] for job in read("jobs")} == {
        "0b4d-waiting",
        "c1ce922a-child",
        "c1ce922a-failed",
        "old-but-waiting",
    }


@pytest.mark.parametrize(("command", "word"), [([], "what became of every job"), (["store"], "Look after the store")])
def test_a_group_alone_says_what_it_is(command: list[str], word: str) -> None:
    """And lists its commands."""
    result = call(*command)

    assert result.exit_code == 0
    assert word in result.stdout
    assert "Commands:" in result.stdout


@pytest.mark.usefixtures("shop")
def test_colours_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Celery's own option."""
    monkeypatch.setenv("FORCE_COLOR", "1")

    coloured, colourless = call("jobs"), call("jobs", no_color=True)

    assert "\x1b[31m▲ failed" in coloured.stdout
    assert "▲ failed" in colourless.stdout
    assert "\x1b[31m" not in colourless.stdout
