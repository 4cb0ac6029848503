"""The application that overhead.py starts a worker of, bare or instrumented as OVERHEAD_VARIANT says."""

import os

from celery import Celery, signals

app = Celery("overhead", broker=os.environ["OVERHEAD_BROKER"])
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=16,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task(name="overhead.noop")
def noop() -> None:
    """Do nothing: what is left is Celery's own cost, and the monitor's."""


def _opentelemetry(**_: object) -> None:
    # As its documentation has it: in each pool child, with a batch processor. Exported to nowhere.
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


def _sentry() -> None:
    import sentry_sdk  # noqa: PLC0415 (only this variant pays for it)
    from sentry_sdk.integrations.celery import CeleryIntegration  # noqa: PLC0415
    from sentry_sdk.transport import Transport  # noqa: PLC0415

    class Nowhere(Transport):
        def capture_envelope(self, envelope: object) -> None:
            del envelope

    sentry_sdk.init(
        dsn="http://key@127.0.0.1/1", traces_sample_rate=1.0, integrations=[CeleryIntegration()], transport=Nowhere
    )


match os.environ["OVERHEAD_VARIANT"]:
    case "monitor":
        from monitor import install

        install(app)
    case "opentelemetry":
        signals.worker_process_init.connect(_opentelemetry, weak=False)
    case "sentry":
        _sentry()
