"""Where uvicorn keeps what belongs to one request and its response.

None of it is public, so nobody relies on it: under another server, or a release that has it elsewhere, everything goes
the usual way.
"""

import sys
from typing import Any

from starlette.types import Receive

_IMPLEMENTATIONS = ("uvicorn.protocols.http.httptools_impl", "uvicorn.protocols.http.h11_impl")


def cycle_of(receive: Receive) -> Any | None:
    """The object behind the ``receive`` of a request, or None if it is not one of uvicorn's."""
    cycle: Any = getattr(receive, "__self__", None)
    modules = (sys.modules.get(name) for name in _IMPLEMENTATIONS)
    return (
        cycle if any(module is not None and type(cycle) is module.RequestResponseCycle for module in modules) else None
    )
