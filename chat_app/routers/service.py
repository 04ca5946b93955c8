"""Routes about the service itself, and the files of the directory ``static``."""

import logging
import os
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from chat_app.middleware import UnknownRoute

logger = logging.getLogger("izpochat.service")

VERSION = "1.0.0"

router = APIRouter(tags=["service"])

_DIRECTORY = Path("static")
_FILES = StaticFiles(directory=_DIRECTORY, check_dir=False)


def make_static_directory() -> None:
    """Create the directory in the working directory; where that is read-only there are just no such files."""
    try:
        _DIRECTORY.mkdir(exist_ok=True)
    except OSError as error:
        logger.warning("the directory static cannot be created: %s", error)


@router.get("/")
async def welcome() -> dict[str, str]:
    """The name, the version and where the documentation is."""
    return {
        "message": "¡Bienvenido a IzpoChat API!",
        "version": VERSION,
        "docs": "/docs",
        "status": "running",
    }


@router.get("/health")
async def health() -> dict[str, str]:
    """Liveness: the process answers. The database is not asked."""
    return {"status": "healthy", "service": "IzpoChat API"}


@router.get("/cors-test")
async def cors_test() -> dict[str, Any]:
    """A fixed answer for trying CORS from a browser."""
    return {"message": "CORS working correctly", "timestamp": "2025-09-23", "cors_enabled": True}


# A route and not a mounted application, so that other methods and missing files answer as everywhere.
@router.get("/static/{path:path}", include_in_schema=False)
async def static_file(request: Request, path: str) -> Response:
    """A file of the directory ``static`` in the working directory."""
    if "\0" in path:
        raise UnknownRoute
    try:
        return await _FILES.get_response(os.path.normpath(path), request.scope)
    except HTTPException as error:
        raise UnknownRoute from error
