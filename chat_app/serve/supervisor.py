"""What the process must and may be: the only one without REDIS_URL, with as many open files as the system allows.

Several processes that cannot talk to each other would each know only their own sockets. uvicorn's supervisor replaces
workers that end, so refusing in the worker is not enough: the supervisor has to stop.
"""

import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from chat_app.core.config import ConfigurationError

# Supervisors give 30 seconds, and the core ends behind the requests.
_MAX_REQUEST_SECONDS = 10


def refuse_workers(config: Any) -> None:
    """Refuse to be one of several workers of uvicorn.

    Raises:
        ConfigurationError: there is more than one.
    """
    # With reload uvicorn ignores the number of workers.
    if config.workers <= 1 or config.should_reload:
        return
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid == os.getppid():
        # uvicorn ends with status 0 when it is told to end. As the first process of a container it can be ended in no
        # other way.
        os.kill(parent.pid, signal.SIGTERM if parent.pid == 1 else signal.SIGABRT)
    problem = (
        f"workers: found {config.workers}; one process is the supported form without REDIS_URL, and uses all cores "
        "for sockets; start without --workers and WEB_CONCURRENCY"
    )
    raise ConfigurationError([problem])


def raise_open_file_limit() -> None:
    """Lift the soft limit to the hard one: every socket is an open file, and shells start with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def on_termination(stop: Callable[[], None]) -> Callable[[], None]:
    """Call ``stop`` in a thread when the process is told to end, beside what the server does then.

    Does nothing outside of the main thread, or where the server leaves the signals alone. The result takes it back.
    """
    installed: dict[signal.Signals, tuple[Callable[..., None], Callable[..., Any]]] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            server = signal.getsignal(number)
            if callable(server):
                installed[number] = (_both(stop, server), server)
                signal.signal(number, installed[number][0])

    def take_back() -> None:
        for number, (ours, server) in installed.items():
            if signal.getsignal(number) is ours:
                signal.signal(number, server)

    return take_back


def _both(stop: Callable[[], None], server: Callable[..., Any]) -> Callable[..., None]:
    def handle(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=stop, name="chat-stop").start()
        server(number, frame)

    return handle


def bound_shutdown(config: Any) -> None:
    """Bound how long uvicorn waits for requests at its end, unless it was told: a client may read or send nothing."""
    if getattr(config, "timeout_graceful_shutdown", 0) is None:
        config.timeout_graceful_shutdown = _MAX_REQUEST_SECONDS
