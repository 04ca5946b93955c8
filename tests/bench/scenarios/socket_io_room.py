"""Socket.IO: what a delivery costs in one room of 1,000 clients over WebSocket, beside the reference server on Node.

Neither side authenticates or stores anything here: both join a room and send an event on to all of it.
"""

from contextlib import ExitStack

from load_client import SocketClient, closed_loop
from references import SOCKET_IO
from server import uvicorn_server
from table import Row, ratio_at_most
from workshop import OURS, Workshop, cpu_micros, per_second

CLIENTS = 1000
SENDERS = 4
ROUNDS = 3
SECONDS = 2
IN_FLIGHT = (16, 64)
# Eight times the deliveries per second of CPU.
LIMIT = 1 / 8


def measure(workshop: Workshop) -> list[Row]:
    """One Socket.IO room of 1,000."""
    places = [("/socket.io/?EIO=4&transport=websocket", 0)] * CLIENTS
    with ExitStack() as stack:
        folder = workshop.folder / "socket_io_room"
        environment = {"DATABASE_URL": f"sqlite:///{folder / 'chat.db'}"}
        ours = uvicorn_server("servers.socket_io_service:app", folder, environment, welcomes=True, dialect="socket_io")
        servers = {OURS: stack.enter_context(ours)}
        reference = workshop.start_reference(stack, SOCKET_IO)
        if reference is None:
            raise RuntimeError(workshop.notes[-1])
        servers[SOCKET_IO.name] = reference
        clients = {name: stack.enter_context(SocketClient(server, places)) for name, server in servers.items()}
        loads = {f"{n} in flight": closed_loop(n, SENDERS) for n in IN_FLIGHT}
        results = workshop.take_turns(clients, loads, ROUNDS, SECONDS)
    rows = []
    for load in loads:
        figure, other = (cpu_micros(results[name][load]) for name in servers)
        rate, other_rate = (per_second(results[name][load], "deliveries") for name in servers)
        name = f"Socket.IO room of {CLIENTS:,}, {load}"
        goal = ratio_at_most(figure, other, limit=LIMIT)
        rows.append(Row(f"{name}: CPU µs per delivery", figure, other, SOCKET_IO.name, goal))
        rows.append(Row(f"{name}: deliveries per second", rate, other_rate, SOCKET_IO.name))
    return rows
