"""Start and end of the service: settings, the core, and what depends on both.

Nothing happens at import. The service starts with the lifespan, or with the first request where nobody runs one: a
parent application, a server with lifespans switched off.
"""

import asyncio
import atexit
import inspect
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from chat_app._native import ChatError, Core, Storage
from chat_app.compat.mount import CompatibleSystems
from chat_app.core.compat import CompatConfig, CompatSettings
from chat_app.core.config import ConfigurationError, Settings
from chat_app.core.logs import configure_logging
from chat_app.core.secret_key import resolve_secret_key
from chat_app.errors import unavailable_response
from chat_app.routers.service import make_static_directory
from chat_app.serve.handoff import find_uvicorn_config, install_handoff, may_hand_off
from chat_app.serve.supervisor import bound_shutdown, on_termination, raise_open_file_limit, refuse_workers
from chat_app.serve.upgrade_headers import read_upgrades

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any] | None]]

logger = logging.getLogger("izpochat.service")

# Beside the default database.
_UPLOAD_FOLDER = Path("data/uploads")


class StartError(Exception):
    """The service cannot start; the text is for the operator."""


class ServiceLifespan:
    """The lifespan of the application.

    While it runs, ``app.state`` holds ``core``, ``settings`` and ``compatible_systems``.

    Args:
        inner: another lifespan, which runs inside of this one.
        start: starts the core.
    """

    def __init__(self, *, inner: Lifespan | None = None, start: Callable[[Core], Awaitable[None]] = Core.start) -> None:
        self._inner = inner
        self._start_core = start
        self._start_lock = threading.Lock()

    @asynccontextmanager
    async def __call__(self, app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        """Start, serve, stop.

        Raises:
            ConfigurationError: the settings cannot be used.
            StartError: the core refused to start.
        """
        config = app.state.uvicorn_config
        try:
            # It may run already, for requests that came before any lifespan.
            core = app.state.core or await self._start(app, config)
        except (ConfigurationError, StartError) as error:
            app.state.start_refusal = str(error)
            raise
        undo = [install_handoff(config), read_upgrades(config)]
        # At once, and not when the server has done with all requests.
        undo.append(on_termination(lambda: asyncio.run(_close_sockets(core))))
        if config is not None:
            bound_shutdown(config)
        watch = asyncio.create_task(_stop_process_when_lost(core))
        # The hand-off takes sockets where it finds this.
        state = {"handoff_core": core} if may_hand_off(app, config) else {}
        try:
            async with nullcontext() if self._inner is None else self._inner(app) as added:
                await _run(app.router.on_startup)
                yield {**(added or {}), **state}
                await _run(app.router.on_shutdown)
        finally:
            watch.cancel()
            for take_back in undo:
                take_back()
            await _stop(app)

    def start_without_lifespan(self, app: FastAPI) -> bool:
        """Start on behalf of the first request; False if that is not possible now.

        Runs in a worker thread with a loop of its own, because requests of several loops may come first at once.
        """
        with self._start_lock:
            if app.state.core is not None:
                return True
            try:
                asyncio.run(self._start(app))
            except (ConfigurationError, StartError) as error:
                logger.critical("%s", error)
                return False
            atexit.register(lambda: asyncio.run(_stop(app)))
            return True

    async def _start(self, app: FastAPI, config: Any = None) -> Core:
        """Read the settings, build what depends on them, and start the core."""
        settings = Settings.load()
        if config is not None and settings.redis_url is None:
            refuse_workers(config)
        configure_logging(debug=settings.debug)
        secret_key = resolve_secret_key(settings)
        compat = CompatSettings.load().resolve(secret_key, settings.allowed_origins)
        make_static_directory()
        raise_open_file_limit()
        try:
            core = make_core(settings, secret_key, compat)
            await self._start_core(core)
        except (ChatError, ValueError, OSError) as error:
            raise StartError(f"The service cannot start: {error}") from error
        app.title = settings.app_name
        app.openapi_schema = None
        app.state.settings = settings
        app.state.compatible_systems = CompatibleSystems(core, compat)
        app.state.core = core
        return core


class ServiceMiddleware:
    """The outermost layer of the service: knows the server, and starts the core where no lifespan has."""

    def __init__(self, app: ASGIApp, lifespan: ServiceLifespan) -> None:
        self._app = app
        self._lifespan = lifespan
        self._handles_signals = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the scope on once the core runs."""
        state = scope["app"].state
        if scope["type"] == "lifespan":
            await self._serve_lifespan(scope, receive, send)
        elif state.core is not None or await self._start_without_lifespan(scope["app"]):
            await self._app(scope, receive, send)
        else:
            response = unavailable_response() if scope["type"] == "http" else WebSocketClose()
            await response(scope, receive, send)

    async def _serve_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["app"].state
        state.uvicorn_config = find_uvicorn_config(receive)
        scope.setdefault("state", {})

        async def send_refusal(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed" and state.start_refusal is not None:
                # The server ends with this text instead of a traceback.
                message = {**message, "message": state.start_refusal}
            await send(message)

        try:
            await self._app(scope, receive, send_refusal)
        except (ConfigurationError, StartError):
            if state.start_refusal is None:
                raise

    async def _start_without_lifespan(self, app: FastAPI) -> bool:
        started = await asyncio.to_thread(self._lifespan.start_without_lifespan, app)
        if started and not self._handles_signals:
            # Servers end the process with the signal itself, past everything registered for the exit.
            self._handles_signals = True
            core: Core = app.state.core
            on_termination(lambda: asyncio.run(_stop_core(core)))
        return started


def make_core(settings: Settings, secret_key: str, compat: CompatConfig) -> Core:
    """The core with these settings, not started.

    Raises:
        ValueError: a setting has a form the core cannot use; the text names the key.
    """
    return Core(
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
        compat=compat,
    )


def _storage(settings: Settings) -> Storage:
    """A bucket if one is named, else a folder."""
    if settings.gcs_bucket_name is None:
        return Storage.local(settings.upload_path or _UPLOAD_FOLDER, public_base_url=settings.public_base_url)
    return Storage.gcs(
        bucket=settings.gcs_bucket_name,
        credentials=settings.google_application_credentials,
        emulator_host=settings.storage_emulator_host,
        signed_url_seconds=None if settings.gcs_public_urls else settings.gcs_signed_url_seconds,
    )


async def _stop(app: FastAPI) -> None:
    core, app.state.core = app.state.core, None
    if core is not None:
        await _stop_core(core)


async def _stop_core(core: Core) -> None:
    await core.stop()


async def _close_sockets(core: Core) -> None:
    await core.close_sockets()


async def _run(handlers: Iterable[Callable[[], Any]]) -> None:
    """Start-up or shutdown handlers, which the framework leaves out where an application has a lifespan."""
    for handler in handlers:
        result = handler()
        if inspect.isawaitable(result):
            await result


async def _stop_process_when_lost(core: Core) -> None:
    """Another process serves the database now: two would split the rooms between them."""
    reason = await core.wait_lost()
    if reason is None:
        return
    logger.critical("stopping: %s", reason)
    os.kill(os.getpid(), signal.SIGTERM)
