"""One batch of schedules: clients that misbehave, while the service and its database do.

The schedules of a batch share a service and so the faults; each has rooms, clients and a seed of its own.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import httpx
from harness.chat import Chat, User
from harness.cluster import start_processes
from harness.database import Database
from harness.pool import ServerPool
from harness.postgres import PostgresCluster
from harness.redis_server import RedisServer
from reliability.client import Client
from reliability.history import Message, RoomRecord, violations

ROOMS = 2
CLIENTS = 3
PAGE = 500


@dataclass(frozen=True)
class Verdict:
    """What one schedule did, and what was wrong with it.

    Args:
        seed: runs the same clients again.
        messages: how many were stored.
        resumes: how often clients came back; how often they had to read from the history instead.
        gaps: how often a client had to ask for what nobody had told it.
    """

    seed: str
    messages: int
    resumes: int
    incomplete: int
    gaps: int
    violations: list[str]


class Service:
    """The processes of the service, its database and its Redis, and what can happen to them."""

    def __init__(self, processes: list[Chat], cluster: PostgresCluster | None, redis: RedisServer | None) -> None:
        self.chat = processes[0]
        self._processes = processes
        self._cluster = cluster
        self._redis = redis
        self._away: set[int] = set()

    @classmethod
    def start(cls, pool: ServerPool, cluster: PostgresCluster | None, redis: RedisServer | None = None) -> Self:
        """A service of its own, on SQLite unless there is a cluster; two processes if they have where to meet."""
        if redis is not None:
            kind = "sqlite" if cluster is None else "postgres"
            database = None if cluster is None else Database(cluster.create_database())
            return cls(start_processes(pool, kind, redis.url, database=database), cluster, redis)
        if cluster is None:
            chat = pool.prepare("sqlite")
        else:
            chat = pool.prepare("postgres", database=Database(cluster.create_database()))
        chat.server.start()
        return cls([chat], cluster, None)

    def base_url(self) -> str | None:
        """Where one of the processes that are there is; none if none is."""
        there = [number for number in range(len(self._processes)) if number not in self._away]
        return self._processes[random.choice(there)].server.base_url if there else None

    @property
    def faults(self) -> list[Callable[[], None]]:
        """Each ends when it is over."""
        faults = [self.kill]
        if self._cluster is not None:
            faults += [self.kill, self.restart_database, self.cut_database]
        if self._redis is not None:
            faults += [self.kill, self.restart_redis]
        return faults

    def kill(self) -> None:
        """SIGKILL, and a new start."""
        number = random.randrange(len(self._processes))
        self._away.add(number)
        server = self._processes[number].server
        server.kill()
        server.start()
        self._away.remove(number)

    def restart_redis(self) -> None:
        """End what the processes talk over, and start it again."""
        assert self._redis is not None
        self._redis.stop()
        self._redis.start_again()

    def restart_database(self) -> None:
        """Stop PostgreSQL, which ends all connections, and start it again."""
        assert self._cluster is not None
        self._cluster.stop()
        self._cluster.start()

    def cut_database(self) -> None:
        """End the service's connections, whatever they are doing."""
        self.chat.database.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )


class Schedule:
    """Rooms and their clients."""

    def __init__(self, seed: str, service: Service, http: httpx.AsyncClient) -> None:
        chat = service.chat
        self.seed = seed
        self._service = service
        self._http = http
        self._rooms: list[tuple[int, User, list[Client]]] = []
        for room in range(ROOMS):
            users = chat.users(*(f"u{number}" for number in range(CLIENTS)))
            room_id = chat.room(users[0])
            clients = [
                Client(f"{seed}/{room}/{number}", user, room_id, http, service.base_url)
                for number, user in enumerate(users)
            ]
            self._rooms.append((room_id, users[0], clients))

    @property
    def clients(self) -> list[Client]:
        """Those of all rooms."""
        return [client for _, _, clients in self._rooms for client in clients]

    async def judge(self) -> Verdict:
        """When all is quiet: read what is stored, let everybody read it, and compare."""
        records = []
        for room_id, owner, clients in self._rooms:
            stored = await self._stored(room_id, owner)
            await asyncio.gather(*(client.catch_up(len(stored)) for client in clients))
            records.append(RoomRecord(stored, [client.record for client in clients]))
        resumes = [client.record.resumes for client in self.clients]
        return Verdict(
            self.seed,
            sum(len(record.stored) for record in records),
            sum(resume.total() for resume in resumes),
            sum(resume[False] for resume in resumes),
            sum(client.record.gaps for client in self.clients),
            [line for record in records for line in violations(record)],
        )

    async def _stored(self, room_id: int, owner: User) -> list[Message]:
        stored: list[Message] = []
        while True:
            answer = await self._http.get(
                f"{self._service.base_url()}/api/rooms/{room_id}/messages",
                params={"after_seq": stored[-1].seq if stored else 0, "limit": PAGE},
                headers=owner.headers,
            )
            answer.raise_for_status()
            page = [Message(item["seq"], item["id"], item["content"]) for item in answer.json()]
            if not page:
                return stored
            stored += page


async def run_batch(service: Service, batch: int, schedules: int) -> Sequence[Verdict]:
    """Run schedules side by side through the same faults, and judge each."""
    chance = random.Random(f"faults of batch {batch}")
    is_over = asyncio.Event()
    limits = httpx.Limits(max_connections=20)
    async with httpx.AsyncClient(timeout=30, trust_env=False, limits=limits) as http:
        running = [Schedule(f"{batch}.{number}", service, http) for number in range(schedules)]
        clients = [client for schedule in running for client in schedule.clients]
        async with asyncio.TaskGroup() as tasks:
            for client in clients:
                tasks.create_task(client.misbehave(is_over))
            for _ in range(chance.randint(1, 2)):
                await asyncio.sleep(chance.uniform(0.2, 0.8))
                await asyncio.to_thread(chance.choice(service.faults))
            await asyncio.sleep(chance.uniform(0.1, 0.5))
            is_over.set()
        async with asyncio.TaskGroup() as tasks:
            for client in clients:
                tasks.create_task(client.settle())
        return [await schedule.judge() for schedule in running]
