"""The ASGI application: a FastAPI whose core starts and stops with the lifespan.

Nothing happens at import. Settings are read when the service starts: with the lifespan, or with the first request
where the server knows none. Paths are normalised here, once: a trailing slash never matters and never redirects, so
routes are declared without one.
"""

import asyncio
import atexit
import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from chat_app._native import ChatError, Core, Storage
from chat_app.compat import CompatMount
from chat_app.core.compat import CompatSettings
from chat_app.core.config import ConfigurationError, Settings
from chat_app.core.secret_key import resolve_secret_key
from chat_app.cors import ContractCORSMiddleware
from chat_app.errors import ErrorBoundary, unavailable_response
from chat_app.handoff import find_uvicorn_config, install_handoff
from chat_app.logs import configure_logging
from chat_app.routers.service import make_static_directory
from chat_app.sibling_cors import SiblingCORS
from chat_app.socket_io import SocketIo, is_socket_io
from chat_app.supervisor import raise_open_file_limit, refuse_workers

logger = logging.getLogger("izpochat.service")

# Beside the default database.
_UPLOAD_FOLDER = Path("data/uploads")

# Documented with the slash, as clients of the first releases write them.
_DOCUMENTED_WITH_SLASH = ("/api/users", "/api/rooms", "/api/uploads")


class StartError(Exception):
    """The service cannot start; the text is for the operator."""


class ChatApplication(FastAPI):
    """FastAPI with the core on ``state.core`` while it runs.

    Args:
        conformance: serve the official conformance suites of Socket.IO instead of any system on it, with pings at the
            first of these intervals, in seconds, to be answered within the second.
    """

    def __init__(self, *, conformance: tuple[float, float] | None = None, **options: Any) -> None:
        super().__init__(redirect_slashes=False, **options)
        self.state.core = None
        self.state.settings = None
        self._conformance = conformance
        self._socket_io: ASGIApp | None = None
        self._compat: CompatMount | None = None
        self._start_lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
            return
        if self.state.core is None and not await asyncio.to_thread(self._start_without_lifespan):
            response = unavailable_response() if scope["type"] == "http" else WebSocketClose()
            await response(scope, receive, send)
            return
        if self._socket_io is not None and is_socket_io(scope):
            # Not through FastAPI: it has its own errors and its own rules for origins.
            await self._socket_io(scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        if self._compat is not None and self._compat.serves(scope):
            await self._compat(scope, receive, send)
            return
        await super().__call__(_without_trailing_slash(scope), receive, send)

    def openapi(self) -> dict[str, Any]:
        """The schema, with the documented form of every path."""
        if self.openapi_schema is None:
            schema = super().openapi()
            schema["paths"] = {
                path + "/" if path in _DOCUMENTED_WITH_SLASH else path: item for path, item in schema["paths"].items()
            }
            self.openapi_schema = schema
        return self.openapi_schema

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        config = find_uvicorn_config(receive)
        try:
            core = await self._start(config)
        except (ConfigurationError, StartError) as error:
            # Ends uvicorn with status 3 and this text instead of a traceback.
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        uninstall: Callable[[], None] = (lambda: None) if config is None else install_handoff(config, core)
        watch = asyncio.create_task(_stop_process_when_lost(core))
        try:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        finally:
            watch.cancel()
            uninstall()
            await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self, config: Any = None) -> Core:
        """Read the settings, build what depends on them, and start the core.

        Args:
            config: uvicorn's, if it is uvicorn that starts the service.

        Raises:
            ConfigurationError: the settings cannot be used.
            StartError: the core refused to start.
        """
        settings = Settings.load()
        if config is not None and settings.redis_url is None:
            refuse_workers(config)
        configure_logging(debug=settings.debug)
        secret_key = resolve_secret_key(settings)
        compat = CompatSettings.load().resolve(secret_key, settings.allowed_origins)
        make_static_directory()
        raise_open_file_limit()
        try:
            core = Core(
                database_url=settings.database_url.get_secret_value(),
                database_pool_size=settings.db_pool_size,
                secret_key=secret_key,
                algorithm=settings.algorithm,
                access_token_expire_minutes=settings.access_token_expire_minutes,
                socket_threads=settings.socket_threads,
                outbox_max_bytes=settings.ws_outbox_max_bytes,
                resume_max_messages=settings.resume_max_messages,
                presence_grace_seconds=settings.presence_grace_seconds,
                max_frames_per_second=settings.socket_max_frames_per_second,
                compression=settings.websocket_compression,
                session_max_age=settings.session_max_age,
                shutdown_spread_seconds=settings.shutdown_spread_seconds,
                redis_url=None if settings.redis_url is None else settings.redis_url.get_secret_value(),
                storage=_storage(settings),
                max_file_bytes=settings.max_file_size,
                conformance=self._conformance,
                compat=compat,
            )
            await core.start()
        except (ChatError, ValueError, OSError) as error:
            raise StartError(f"The service cannot start: {error}") from error
        self._apply(settings)
        self._socket_io = SiblingCORS(SocketIo(core), compat.open_origins)
        self._compat = CompatMount(core, compat)
        self.state.core = core
        return core

    def _apply(self, settings: Settings) -> None:
        self.title = settings.app_name
        self.state.settings = settings
        self.openapi_schema = None
        # The framework's usual layers do some of this once more, and each costs every message of every answer.
        self.middleware_stack = ContractCORSMiddleware(
            # Routes of the framework's own class need its stack.
            ErrorBoundary(AsyncExitStackMiddleware(self.router)),
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"],
            allow_headers=["*"],
            allow_credentials=True,
        )

    def _start_without_lifespan(self) -> bool:
        """Start on behalf of the first request; False if that is not possible now.

        Runs in a worker thread with a loop of its own, because requests of several loops may come first at once.
        """
        with self._start_lock:
            if self.state.core is not None:
                return True
            try:
                asyncio.run(self._start())
            except (ConfigurationError, StartError) as error:
                logger.critical("%s", error)
                return False
            atexit.register(lambda: asyncio.run(self._stop()))
            return True

    async def _stop(self) -> None:
        core, self.state.core = self.state.core, None
        if core is not None:
            await core.stop()


def _storage(settings: Settings) -> Storage:
    """A bucket if one is named, else a folder."""
    if settings.gcs_bucket_name is None:
        return Storage.local(settings.upload_path or _UPLOAD_FOLDER, required=settings.upload_path is not None)
    return Storage.gcs(
        bucket=settings.gcs_bucket_name,
        credentials=settings.google_application_credentials,
        emulator_host=settings.storage_emulator_host,
        signed_url_seconds=None if settings.gcs_public_urls else settings.gcs_signed_url_seconds,
    )


async def _stop_process_when_lost(core: Core) -> None:
    """Another process serves the database now: two would split the rooms between them."""
    reason = await core.wait_lost()
    if reason is None:
        return
    logger.critical("stopping: %s", reason)
    os.kill(os.getpid(), signal.SIGTERM)


def _without_trailing_slash(scope: Scope) -> Scope:
    path: str = scope["path"]
    # The root itself keeps its slash, also below a root path.
    if not path.endswith("/") or path[:-1] == scope.get("root_path", "").rstrip("/"):
        return scope
    return {**scope, "path": path[:-1]}


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head
