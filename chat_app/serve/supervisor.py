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
        os.kill(parent.pid, signal.SIGTERM)
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


def on_termination(stop: Callable[[], None]) -> None:
    """Call ``stop`` in a thread when the process is told to end, beside what the server does then.

    Does nothing outside of the main thread, or where the server leaves the signals alone.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        server = signal.getsignal(number)
        if callable(server):
            signal.signal(number, _both(stop, server))


def _both(stop: Callable[[], None], server: Callable[[int, FrameType | None], Any]) -> Callable[..., None]:
    def handle(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=stop, name="chat-stop").start()
        server(number, frame)

    return handle
