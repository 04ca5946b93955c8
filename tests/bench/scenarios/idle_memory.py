"""Memory: 2,000 authenticated sockets in 20 rooms that do nothing.

Resident memory of the process before and after, per socket. Every socket has a user of its own. A few sockets come and
go before, so that what a server allocates once is not counted.
"""

from pathlib import Path
from statistics import median

from dataset import Dataset, sign_token
from load_client import idle_client
from server import Server, our_server
from table import Row

SOCKETS = 2_000
ROOMS = 20
WARM_UP_SOCKETS = 40
ROUNDS = 2
MOST_KILOBYTES = 15
REFERENCE = "servers.reference_chat:app"


def measure(folder: Path, binary: Path) -> list[Row]:
    """Measure fresh servers in turns and give the row of the table."""
    ours: list[float] = []
    reference: list[float] = []
    for turn in range(ROUNDS):
        place = folder / str(turn)
        dataset = Dataset(place / "ours" / "chat.db")
        with our_server(place / "ours", dataset.environment) as server:
            dataset.add_users(SOCKETS)
            for room in range(1, ROOMS + 1):
                dataset.add_room(room, range(room, room + 1))
            ours.append(_kilobytes_per_socket(server, binary))
        with Server(REFERENCE, place / "reference", {}) as server:
            reference.append(_kilobytes_per_socket(server, binary))
    return [Row("idle socket: resident kB", median(ours), median(reference), fewer_is_better=True, most=MOST_KILOBYTES)]


def _kilobytes_per_socket(server: Server, binary: Path) -> float:
    urls = [server.socket_url(1 + index % ROOMS, sign_token(1 + index)) for index in range(SOCKETS)]
    with idle_client(binary, urls[:WARM_UP_SOCKETS]):
        pass
    before = server.resident_bytes()
    with idle_client(binary, urls):
        return (server.resident_bytes() - before) / SOCKETS / 1000
