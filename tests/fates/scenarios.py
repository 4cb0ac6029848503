"""What can happen to a job, pool by pool, and what must be recorded of it.

The pools differ as Celery 5.7 lets them: threads and solo know no time limits and cannot end a job that runs, and in
threads, solo and gevent a job that kills its process kills the worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.job import Fate
from tests.fates import acts
from tests.fates.acts import GEVENT, POOLS, PREFORK, SOLO, THREADS, Act, call, death, first, job, last, limited, message
from tests.fates.outcomes import (
    EXITED,
    EXPIRED,
    HARD_LIMIT,
    KILLED,
    NEVER_SENT,
    RETRIED,
    REVOKED,
    SEGFAULTED,
    SOFT_LIMIT,
    SUCCEEDED,
    VANISHED,
    VANISHED_AND_GOES_BACK,
    Outcome,
    Ran,
    cut_off,
    failed,
    goes_back,
    here,
    ran,
    terminated,
    told,
    unreadable,
)

ADD = [[1, 2], {}, {}]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way for jobs to go: what brings it about, and the outcome of each job in each pool it is played in.

    In the pools of `alone` it is played on a worker of its own, since it ends the worker or its child. While children
    end, prefork's main process may overlook that others are done, and tell of time limits (5.7).
    """

    name: str
    act: Act
    outcomes: Mapping[str, Outcome]
    alone: Sequence[str] = ()


def everywhere(outcome: Outcome, **exceptions: Outcome) -> Mapping[str, Outcome]:
    """The same in every pool but those named."""
    return dict.fromkeys(POOLS, outcome) | exceptions


FROM_THE_JOB = (
    Scenario("success", job("add", 1, 2), everywhere(SUCCEEDED)),
    Scenario("success_with_a_failing_callback", job("succeed_carelessly"), everywhere(SUCCEEDED)),
    Scenario("exception", job("fail"), everywhere(failed("ValueError"))),
    Scenario("wrong_arguments", job("add", 1), everywhere(failed("TypeError"))),
    Scenario("unserialisable_result", job("return_object"), everywhere(failed("kombu.exceptions.EncodeError"))),
    Scenario("unpicklable_exception", job("fail_unpicklably"), everywhere(failed("tests.fates.app.Unpicklable"))),
    Scenario("memory_error", job("run_out_of_memory"), everywhere(failed("MemoryError")), alone=[PREFORK, SOLO]),
    Scenario(
        "result_too_long_for_the_backend",
        job("return_too_much"),
        everywhere(failed("celery.exceptions.BackendStoreError", "its result could not be stored")),
    ),
    Scenario(
        "result_backend_read_only",
        job("return_to_read_only"),
        everywhere(failed("redis.exceptions.NoPermissionError", "its result could not be stored")),
        alone=[SOLO],
    ),
    Scenario(
        "autoretry_until_failure",
        job("always_retry"),
        everywhere(ran(Fate.FAILED, "ConnectionError", before=[RETRIED, RETRIED])),
    ),
    Scenario("retry_then_success", job("retry_once"), everywhere(ran(Fate.SUCCEEDED, before=[RETRIED]))),
    Scenario("rejected", job("reject"), everywhere(ran(Fate.REJECTED))),
    Scenario("requeued", job("reject_once"), everywhere(ran(Fate.SUCCEEDED, before=[Ran(Fate.REQUEUED)]))),
    Scenario("ignored", job("ignore"), everywhere(ran(Fate.IGNORED))),
    Scenario("replaced", job("replace"), everywhere(ran(Fate.SUCCEEDED, before=[Ran(Fate.REPLACED)]))),
    Scenario("chain", call("send_chain"), everywhere(SUCCEEDED)),
    Scenario("group", call("send_group"), everywhere(SUCCEEDED)),
    Scenario("chord", call("send_chord"), everywhere(SUCCEEDED)),
    Scenario("header_of_a_failing_chord", first(call("send_failing_chord")), everywhere(failed("ValueError"))),
    Scenario("body_of_a_failing_chord", last(call("send_failing_chord")), everywhere(NEVER_SENT)),
)

# In the sending process, whatever the pool.
EAGER = (
    Scenario("eager_success", call("run_eagerly", "add", 1, 2), {PREFORK: here(SUCCEEDED)}),
    Scenario("eager_exception", call("run_eagerly", "fail"), {PREFORK: here(failed("ValueError"))}),
    Scenario("eager_retry", call("run_eagerly", "retry_once"), {PREFORK: here(ran(Fate.SUCCEEDED, before=[RETRIED]))}),
    Scenario("eager_sys_exit_acks_late", call("exit_eagerly"), {PREFORK: here(cut_off("SystemExit"))}),
)

FROM_OUTSIDE = (
    Scenario("soft_time_limit", limited("sleep", soft_time_limit=1), everywhere(SUCCEEDED, prefork=SOFT_LIMIT)),
    Scenario(
        "hard_time_limit",
        limited("sleep", time_limit=1),
        everywhere(SUCCEEDED, prefork=HARD_LIMIT, gevent=HARD_LIMIT),
        alone=[PREFORK],
    ),
    Scenario(
        "hard_time_limit_of_a_deaf_process",
        limited("sleep_deaf", time_limit=1),
        {PREFORK: HARD_LIMIT},
        alone=[PREFORK],
    ),
    Scenario(
        "hard_time_limit_and_given_out_again",
        limited("sleep_once", time_limit=1),
        dict.fromkeys([PREFORK, GEVENT], ran(Fate.SUCCEEDED, before=HARD_LIMIT.runs)),
        alone=[PREFORK],
    ),
    Scenario("revoked_before_start", acts.revoked_before_start, everywhere(REVOKED)),
    Scenario(
        "revoked_while_reserved",
        acts.revoked_while_reserved,
        # In threads and gevent it has been handed to the pool already, where no revocation reaches it.
        {PREFORK: REVOKED, THREADS: SUCCEEDED, GEVENT: SUCCEEDED},
        alone=[PREFORK, THREADS, GEVENT],
    ),
    Scenario("revoked_while_eta_held", acts.revoked_while_eta_held, everywhere(REVOKED)),
    Scenario("expired", acts.expired, everywhere(EXPIRED)),
    *(
        Scenario(
            f"terminated_with_{name}",
            acts.terminated_with(name),
            everywhere(SUCCEEDED, prefork=terminated(name), gevent=terminated(name)),
            alone=[PREFORK],
        )
        for name in ("SIGTERM", "SIGKILL")
    ),
    Scenario("child_stopped_and_continued", acts.child_stopped, {PREFORK: SUCCEEDED}),
)

DEADLY = (
    Scenario(
        "kill_9",
        death("SIGKILL"),
        everywhere(VANISHED, prefork=KILLED, solo=VANISHED_AND_GOES_BACK),
        alone=POOLS,
    ),
    Scenario("kill_9_acks_late", death("SIGKILL", "die_late", is_late=True), {PREFORK: KILLED}, alone=[PREFORK]),
    Scenario(
        "kill_9_reject_on_worker_lost",
        death("SIGKILL", "die_once", is_late=True),
        {PREFORK: ran(Fate.SUCCEEDED, before=VANISHED_AND_GOES_BACK.runs)},
        alone=[PREFORK],
    ),
    Scenario(
        "kill_9_retry_on_worker_lost",
        death("SIGKILL", "die_and_be_retried"),
        {PREFORK: ran(Fate.SUCCEEDED, before=KILLED.runs)},
        alone=[PREFORK],
    ),
    Scenario("segmentation_fault", death("SIGSEGV"), {PREFORK: SEGFAULTED}, alone=[PREFORK]),
    Scenario("os_exit", death("_exit"), {PREFORK: EXITED}, alone=[PREFORK]),
    Scenario("sys_exit", death("sys.exit"), everywhere(cut_off("SystemExit"), prefork=EXITED), alone=[PREFORK, SOLO]),
    Scenario(
        "sys_exit_acks_late",
        death("sys.exit", "die_late", is_late=True),
        everywhere(goes_back("cut off by SystemExit"), prefork=EXITED),
        alone=[PREFORK, SOLO],
    ),
)

NEVER_RUN = (
    Scenario("unregistered_task", job("nobody"), everywhere(told(Fate.UNKNOWN, "knows no task of this name"))),
    Scenario("no_task_message", acts.no_task_message, everywhere(unreadable("it is no task message"))),
    Scenario(
        "content_disallowed",
        message(b"", content_type="application/x-python-serialize"),
        everywhere(unreadable("ContentDisallowed")),
    ),
    Scenario("invalid_eta", message(ADD, eta="soon"), everywhere(unreadable("invalid ETA value 'soon'"))),
    Scenario("undecodable_body", message(b"{"), everywhere(unreadable("its body cannot be decoded"))),
    Scenario(
        "keywords_no_mapping",
        message([[1, 2], None, {}]),
        everywhere(unreadable("InvalidTaskError: Task keyword arguments is not a mapping")),
    ),
)

FOREIGN = (
    Scenario("foreign_publisher", acts.foreign_publisher, everywhere(SUCCEEDED)),
    Scenario("foreign_arguments_no_list", message([5, {}, {}]), everywhere(failed("TypeError"))),
)

ENDS_OF_WORKERS = (
    Scenario("garbage_in_the_queue", acts.garbage_in_the_queue, everywhere(SUCCEEDED), alone=POOLS),
    Scenario("warm_shutdown", acts.warm_shutdown, everywhere(SUCCEEDED), alone=POOLS),
    Scenario(
        "cold_shutdown",
        acts.cold_shutdown(),
        {
            PREFORK: ran(Fate.LOST, reason="stopped cold and cut it off; its message was already acknowledged"),
            THREADS: SUCCEEDED,  # it waits all the same
            SOLO: failed("NotImplementedError"),  # by Celery, in the job's name
            # «cut off», or that the worker «cut it off», as the signal meets the hub or not.
            GEVENT: ran(Fate.LOST, reason="cut"),
        },
        alone=POOLS,
    ),
    Scenario(
        "cold_shutdown_acks_late",
        acts.cold_shutdown("hold_late", is_late=True),
        {
            PREFORK: goes_back("cut off by SystemExit"),
            # The worker waits all the same, and may have given the message back before: then the job runs again.
            THREADS: replace(SUCCEEDED, is_held=None),
            SOLO: failed("NotImplementedError"),
            # The pool hides from Celery that it killed the job, and the message is acknowledged: the job is lost.
            GEVENT: cut_off("GreenletExit"),
        },
        alone=POOLS,
    ),
    Scenario(
        "main_killed",
        acts.main_killed(),
        # In solo the early acknowledgement, too, waits for the job to end.
        everywhere(VANISHED, solo=VANISHED_AND_GOES_BACK),
        alone=POOLS,
    ),
    Scenario(
        "main_killed_acks_late",
        acts.main_killed("hold_late", is_late=True),
        everywhere(VANISHED_AND_GOES_BACK),
        alone=POOLS,
    ),
    Scenario("main_stopped_and_continued", acts.main_stopped, {PREFORK: SUCCEEDED}, alone=[PREFORK]),
)

SCENARIOS = (*FROM_THE_JOB, *EAGER, *FROM_OUTSIDE, *DEADLY, *NEVER_RUN, *FOREIGN, *ENDS_OF_WORKERS)
