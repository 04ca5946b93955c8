"""What the contract asks for beside routes: cross-origin requests, HEAD, both slash forms, prefixes.

Each class is ordinary ASGI, added in ``chat_app.main``, and names the section of the contract that it serves.
"""

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from chat_app.core.paths import path_below_root


class UnknownRoute(HTTPException):
    """No route has this path. A class of its own, because other 404s have another body (section 2.6)."""

    def __init__(self) -> None:
        super().__init__(404)


class EitherSlash:
    """The default of the router: serves a path under its other slash form, without a redirect (section 2.1)."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a path that no route has as it is."""
        other = _other_form(scope)
        if match_of(self._router, other) is not Match.NONE:
            await self._router(other, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
        else:
            raise UnknownRoute


class KeptPrefixMiddleware:
    """Takes off the prefix of ``--root-path`` where the proxy has kept it and uvicorn has added it once more.

    Paths that are served as they are stay as they are: below the prefix ``/api``, ``/api/api/users/me`` is one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request or socket on, with one prefix at the most."""
        root = scope.get("root_path", "").rstrip("/")
        if scope["type"] != "lifespan" and root and f"{scope['path']}/".startswith(f"{root}{root}/"):
            systems, router = scope["app"].state.compatible_systems, scope["app"].router
            served = systems is not None and systems.application_for(scope) is not None
            if not served and all(match_of(router, form) is Match.NONE for form in (scope, _other_form(scope))):
                scope = {**scope, "path": scope["path"][len(root) :]}
        await self._app(scope, receive, send)


class HeadMiddleware:
    """Answers HEAD where a GET is answered and no route takes HEAD itself (section 2.1)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, a HEAD as a GET whose body is left out."""
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        if is_head and match_of(scope["app"].router, scope) is not Match.FULL:
            scope, send = as_get(scope, send)
        await self._app(scope, receive, send)


def as_get(scope: Scope, send: Send) -> tuple[Scope, Send]:
    """The same request as a GET, and what sends its answer without the body."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return {**scope, "method": "GET"}, send_head


class ContractCORS:
    """Cross-origin requests from ``ALLOWED_ORIGINS`` (section 2.8), which is read when the service starts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._origins: list[str] | None = None
        self._cors: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or add headers to an answer."""
        settings = scope["app"].state.settings
        if settings is not None and settings.allowed_origins is not self._origins:
            self._origins = settings.allowed_origins
            kind = _StarCORSMiddleware if "*" in settings.allowed_origins else CORSMiddleware
            self._cors = kind(
                self._app,
                allow_origins=settings.allowed_origins,
                allow_methods=["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"],
                allow_headers=["*"],
                allow_credentials=True,
            )
        await self._cors(scope, receive, send)


class _StarCORSMiddleware(CORSMiddleware):
    """For every origin: Starlette's middleware, but a simple answer says ``*``.

    Newer releases name the origin there, which lets any page read answers with credentials. It is named only when the
    request carries a cookie, as the release the clients were recorded with did.
    """

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        """Add the headers to the start of an answer."""
        if "origin" not in request_headers or "cookie" in request_headers:
            await super().send(message, send, request_headers)
            return
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            MutableHeaders(scope=message).update(self.simple_headers)
        await send(message)


def match_of(router: Router, scope: Scope) -> Match:
    """How well the routes know a request, in the given slash form."""
    # Matching writes into the scope.
    found = (route.matches({**scope, "path_params": {}})[0] for route in router.routes)
    return max(found, key=lambda match: match.value, default=Match.NONE)


def served_methods(router: Router, scope: Scope, methods: Iterable[str]) -> list[str]:
    """Those of the methods that the path has, in either slash form."""
    return [
        method
        for method in methods
        if any(match_of(router, {**form, "method": method}) is Match.FULL for form in (scope, _other_form(scope)))
    ]


def _other_form(scope: Scope) -> Scope:
    """The same request with the trailing slash added or removed; the root has one form."""
    path: str = scope["path"]
    if path_below_root(scope) == "/":
        return scope
    return {**scope, "path": path[:-1] if path.endswith("/") else path + "/"}
