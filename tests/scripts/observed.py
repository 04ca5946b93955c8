"""The service with the three usual observers, attached as their documentation says; they write to standard output."""

import sentry_sdk
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from prometheus_fastapi_instrumentator import Instrumentator
from sentry_sdk.types import Event, Hint

from chat_app.main import app


def drop(event: Event, _hint: Hint) -> None:
    print(f"sentry: {event['transaction']} {event['exception']['values'][-1]['type']}", flush=True)


def describe(span: ReadableSpan) -> str:
    return f"span: {span.name} {(span.attributes or {}).get('http.route')}\n"


sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", before_send=drop)
Instrumentator().instrument(app).expose(app)
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=describe)))
FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)


@app.get("/fails")
async def fails() -> None:
    raise RuntimeError("for the observers")
