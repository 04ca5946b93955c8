"""Several processes that serve one database together."""

from harness.chat import Chat
from harness.pool import ServerPool
from harness.waiting import wait_until


def start_processes(
    servers: ServerPool, kind: str, url: str, count: int = 2, settings: dict[str, str] | None = None
) -> list[Chat]:
    """Processes of a new database, the first one started first, that know of each other."""
    settings = {"REDIS_URL": url, **(settings or {})}
    first = servers.prepare(kind, settings=settings)
    first.server.start()
    others = [servers.prepare(kind, database=first.database, settings=settings) for _ in range(count - 1)]
    for other in others:
        other.server.start()
    processes = [first, *others]
    ana = first.user()
    room = first.room(ana)
    for process in processes:
        socket = process.connect(room, ana)
        for other in processes:
            wait_until(lambda other=other: other.online(room, ana) == [ana.id], "the processes to know of each other")
        socket.close()
        for other in processes:
            wait_until(lambda other=other: other.online(room, ana) == [], "the processes to know of each other")
    return processes
