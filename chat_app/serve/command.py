"""Runs the service under uvicorn: ``python -m chat_app.serve``, or ``run_dev.py`` with reload.

Only a convenience: ``uvicorn chat_app.main:app`` is the same service.
"""

import sys
from pathlib import Path

import uvicorn

from chat_app.core.config import ConfigurationError, Settings


def serve(*, reload: bool = False) -> int:
    """Serve on ``PORT`` until interrupted.

    Returns:
        The exit status.
    """
    try:
        settings = Settings.load()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    # The URL of a server holds a password.
    data = "PostgreSQL, from DATABASE_URL" if settings.uses_postgres else settings.database_url.get_secret_value()
    print(f"{settings.app_name} on port {settings.port}", flush=True)
    print(f"  docs  http://localhost:{settings.port}/docs", flush=True)
    print(f"  data  {data}", flush=True)
    uvicorn.run(
        "chat_app.main:app",
        host="0.0.0.0",  # noqa: S104 (other machines on the network are meant to reach it)
        port=settings.port,
        ws="chat_app.serve.handoff:HandoffProtocol",
        reload=reload,
        # The package only: the data directory below the project changes all the time.
        reload_dirs=[str(Path(__file__).parents[1])] if reload else None,
    )
    return 0
