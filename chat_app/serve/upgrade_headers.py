"""Has uvicorn read ``Connection`` and ``Upgrade`` as the lists they are (RFC 9110, sections 5.3, 7.6.1 and 7.8).

Either header may come in several lines and name several options. uvicorn looks at the last line of each and compares
``Upgrade`` whole, so an upgrade behind a proxy that adds ``Connection: keep-alive``, or of a client that offers another
protocol beside WebSocket, would be served as a plain request. A target with scheme and host is shortened to its path,
because neither the core nor a WebSocket library finds a path in the whole address.

An offer of anything but WebSocket is removed in front of httptools, which would drop the body behind it: clients in
Java and Kotlin offer h2c with every request.

None of what is touched is public; tried with uvicorn 0.54. A release that keeps things elsewhere is left as it is.
"""

import re
from collections.abc import Callable
from typing import Any

_MODULES = frozenset(f"uvicorn.protocols.http.{module}" for module in ("httptools_impl", "h11_impl"))
_METHODS = ("_get_upgrade", "handle_websocket_upgrade")

_OTHER_UPGRADE = re.compile(rb"\r\nupgrade:(?![^\r\n]*websocket)[^\r\n]*", re.IGNORECASE)

_ORIGIN = re.compile(rb"(?:https?|wss?)://[^/?]*/?", re.IGNORECASE)

_Headers = list[tuple[bytes, bytes]]


def read_upgrades(config: Any | None) -> Callable[[], None]:
    """Put the reading into uvicorn's configuration; the result takes it out again."""
    configured: Any = getattr(config, "http_protocol_class", None)
    module = getattr(configured, "__module__", None)
    if config is None or module not in _MODULES or not all(hasattr(configured, name) for name in _METHODS):
        return lambda: None
    # Of the same module: whoever looks for uvicorn's own class still finds it.
    made = type(configured.__name__, (_Upgrades, configured), {"__module__": module})
    config.http_protocol_class = made

    def uninstall() -> None:
        config.http_protocol_class = configured

    return uninstall


class _Upgrades:
    """Stands in front of uvicorn's HTTP protocol class."""

    headers: _Headers
    # The request target, with httptools.
    url: bytes
    # The request under way; h11 needs no help, and has none at first either.
    cycle: Any

    def data_received(self, data: bytes) -> None:
        # Only in a head: while a body is being read, this is a part of it.
        if (b"pgrade:" in data or b"PGRADE:" in data) and not getattr(self.cycle, "more_body", False):
            head, end, rest = data.partition(b"\r\n\r\n")
            data = _OTHER_UPGRADE.sub(b"", head) + end + rest
        super().data_received(data)  # type: ignore[misc]

    def _get_upgrade(self) -> bytes | None:
        if offers_websocket(self.headers):
            return b"websocket"
        upgrade: bytes | None = super()._get_upgrade()  # type: ignore[misc]
        return upgrade

    def handle_websocket_upgrade(self, *arguments: Any) -> None:
        # httptools leaves the target here, h11 in its event.
        if isinstance(getattr(self, "url", None), bytes):
            self.url = origin_form(self.url)
        for event in arguments:
            # An event of h11 is frozen, its target is a plain attribute all the same.
            object.__setattr__(event, "target", origin_form(event.target))
        # In place, because the scope has the same list. WebSocket libraries refuse an offer of two protocols.
        self.headers[:] = [
            *((name, value) for name, value in self.headers if name not in {b"connection", b"upgrade"}),
            (b"connection", b"Upgrade"),
            (b"upgrade", b"websocket"),
        ]
        super().handle_websocket_upgrade(*arguments)  # type: ignore[misc]


def offers_websocket(headers: _Headers) -> bool:
    """Whether a request offers to upgrade to WebSocket, among whatever else; names are in lower case."""
    return b"upgrade" in _options(headers, b"connection") and b"websocket" in _options(headers, b"upgrade")


def origin_form(target: bytes) -> bytes:
    """A request target without scheme and host, which clients of a forward proxy write (RFC 9112, section 3.2.2)."""
    origin = _ORIGIN.match(target)
    return target if origin is None else b"/" + target[origin.end() :]


def _options(headers: _Headers, wanted: bytes) -> set[bytes]:
    lines = (value for name, value in headers if name == wanted)
    return {option.strip().lower() for line in lines for option in line.split(b",")}
