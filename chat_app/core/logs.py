"""Logging: where the service's records go, and no token in anybody's.

Sockets carry their token in the URL, so the servers' access logs would store it. A filter on their loggers removes
the value, whether it is in the message or in an argument.
"""

import functools
import logging
import re
from collections.abc import MutableMapping
from typing import Any

from chat_app._native import init_tracing

_SERVER_LOGGERS = (
    "uvicorn.access",
    "uvicorn.error",
    "uvicorn.asgi",
    "hypercorn.access",
    "hypercorn.error",
    "granian.access",
    "_granian",
)
_TOKEN = re.compile(r"(?i)\b(token=)[^&\s\"'#]+")


class TokenRedaction(logging.Filter):
    """Replaces the value of ``token=`` in log records; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record in place."""
        if isinstance(record.msg, str):
            record.msg = _redact_text(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(_redact(argument) for argument in record.args)
        elif isinstance(record.args, MutableMapping):
            # In place: the access logs of other servers compute some keys on look-up.
            for key, value in list(record.args.items()):
                redacted = _redact(value)
                if redacted is not value:
                    record.args[key] = redacted
        return True


def _redact(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    redacted = _redact_text(text)
    return value if redacted == text else redacted


def _redact_text(text: str) -> str:
    return _TOKEN.sub(r"\1[redacted]", text)


_REDACTION = TokenRedaction()


def configure_logging(*, debug: bool) -> None:
    """Install the filter and give the records of ``izpochat.*`` a place to go; calling it again is fine."""
    for name in _SERVER_LOGGERS:
        logging.getLogger(name).addFilter(_REDACTION)
    service = logging.getLogger("izpochat")
    service.setLevel(logging.DEBUG if debug else logging.INFO)
    if not service.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s:     %(name)s: %(message)s"))
        service.addHandler(handler)
    _connect_core("debug" if debug else "info")


@functools.cache
def _connect_core(level: str) -> None:
    """The core has one subscriber for the life of the process."""
    init_tracing(level)
