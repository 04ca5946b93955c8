"""One process is the supported form; several would each know only their own sockets.

uvicorn's supervisor replaces workers that end, so refusing in the worker is not enough: the supervisor has to stop.
"""

import multiprocessing
import os
import signal
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
        f"workers: found {config.workers}; one process is the supported form and uses all cores for sockets; "
        "start without --workers and WEB_CONCURRENCY"
    )
    raise ConfigurationError([problem])
