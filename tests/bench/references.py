"""The servers that the service is compared with.

Three that are known to be fast, and the usual way to build a chat on FastAPI. None of them authenticates or stores
anything. One that cannot run here is left out with its reason under the table; ``make bench`` installs them.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server import BENCH_FOLDER, Server, uvicorn_server

INSTALLED = BENCH_FOLDER.parents[1] / "target" / "bench"
SERVERS = BENCH_FOLDER / "servers"


@dataclass(frozen=True)
class Reference:
    """One server to compare with."""

    name: str
    folder: str
    start: Callable[[Path], Server]


def _start_bun(folder: Path) -> Server:
    bun = INSTALLED / "node_modules" / ".bin" / "bun"
    return Server([bun, "run", SERVERS / "bun_chat.js"], folder, {})


def _start_socketify(folder: Path) -> Server:
    # Its wheel needs a libuv that not every machine has; this is where one is put beside it.
    libraries = {"LD_LIBRARY_PATH": ":".join(str(found.parent) for found in INSTALLED.rglob("libuv.so.1"))}
    return Server([sys.executable, SERVERS / "socketify_chat.py"], folder, libraries)


def _start_picows(folder: Path) -> Server:
    return Server([sys.executable, SERVERS / "picows_chat.py"], folder, {})


def _start_fastapi(folder: Path) -> Server:
    return uvicorn_server("servers.fastapi_chat:app", folder, {})


def _start_socket_io(folder: Path) -> Server:
    command = ["node", str(SERVERS / "socket_io_chat.mjs"), str(INSTALLED)]
    return Server(command, folder, {}, welcomes=True, dialect="socket_io")


BUN = Reference("uWebSockets in Bun", "bun", _start_bun)
SOCKETIFY = Reference("uWebSockets in socketify", "socketify", _start_socketify)
PICOWS = Reference("picows on uvloop", "picows", _start_picows)
FASTAPI = Reference("FastAPI connection manager", "fastapi", _start_fastapi)
SOCKET_IO = Reference("Socket.IO on Node", "socket_io", _start_socket_io)
FAST = (BUN, SOCKETIFY, PICOWS)
