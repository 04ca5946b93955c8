"""Runs the service under uvicorn with reload."""

import sys
from pathlib import Path

import uvicorn

from chat_app.core.config import ConfigurationError, Settings


def run_with_reload() -> int:
    """Serve on ``PORT`` until interrupted.

    Returns:
        The exit status.
    """
    try:
        settings = Settings.load()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    # The package only: the data directory below the project changes all the time.
    uvicorn.run(
        "chat_app.main:app",
        host="0.0.0.0",  # noqa: S104 (other machines on the network are meant to reach it, as ever)
        port=settings.port,
        reload=True,
        reload_dirs=[str(Path(__file__).parent)],
    )
    return 0
