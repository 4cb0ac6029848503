"""The application that the overhead is measured with, bare or instrumented as OVERHEAD_VARIANT says.

`python -m benchmarks.overhead_app 4000` sends so many jobs to the queue `<variant>.next`.
"""

import os
import sys
from typing import Any

from celery import Celery, signals

VARIANT = os.environ.get("OVERHEAD_VARIANT", "bare")
READY = "the worker of the benchmark is ready"

app = Celery("overhead", broker=os.environ.get("OVERHEAD_BROKER", "memory://"))
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=16,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task(name="overhead.noop")
def noop(**_: object) -> None:
    """Do nothing: what is left is Celery's own cost, and that of what watches it."""


def send(jobs: int) -> None:
    """Send jobs that do nothing, with arguments as a job has them."""
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(jobs):
            arguments = {"scenario_id": f"run-{number}", "period": "2031-W07", "time_limit_s": 10}
            noop.apply_async(kwargs=arguments, queue=f"{VARIANT}.next", producer=producer)


def _trace_with_opentelemetry(**_: object) -> None:
    from opentelemetry import trace  # noqa: PLC0415 (only this variant pays for it)
    from opentelemetry.instrumentation.celery import CeleryInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult  # noqa: PLC0415

    class Nowhere(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            del spans
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()


def _trace_with_sentry() -> None:
    import sentry_sdk  # noqa: PLC0415 (only this variant pays for it)
    from sentry_sdk.integrations.celery import CeleryIntegration  # noqa: PLC0415
    from sentry_sdk.transport import Transport  # noqa: PLC0415

    class Nowhere(Transport):
        def capture_envelope(self, envelope: object) -> None:
            del envelope

    options: dict[str, Any] = {"dsn": "http://key@127.0.0.1/1", "transport": Nowhere, "traces_sample_rate": 1.0}
    sentry_sdk.init(integrations=[CeleryIntegration()], **options)


signals.worker_ready.connect(lambda **_: print(READY), weak=False)

IS_SENDER = __name__ == "__main__"

match VARIANT:
    case "monitor" | "monitor-on-postgresql":
        from monitor import install

        install(app)
    case "opentelemetry" if IS_SENDER:
        _trace_with_opentelemetry()
    case "opentelemetry":
        # In each pool child, as its documentation asks: the thread of its batch processor does not survive a fork.
        signals.worker_process_init.connect(_trace_with_opentelemetry, weak=False)
    case "sentry":
        _trace_with_sentry()

if IS_SENDER:
    send(int(sys.argv[1]))
