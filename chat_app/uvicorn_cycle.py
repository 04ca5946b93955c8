"""Where uvicorn keeps what belongs to one request and its response.

None of it is public, so nobody relies on it: under another server, or a release that has it elsewhere, everything goes
the usual way.
"""

from typing import Any

from starlette.types import Receive

_MODULES = frozenset({"uvicorn.protocols.http.httptools_impl", "uvicorn.protocols.http.h11_impl"})


def cycle_of(receive: Receive) -> Any | None:
    """The object behind the ``receive`` of a request, or None if it is not one of uvicorn's."""
    cycle: Any = getattr(receive, "__self__", None)
    kind = type(cycle)
    return cycle if kind.__module__ in _MODULES and kind.__name__ == "RequestResponseCycle" else None
