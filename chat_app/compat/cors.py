"""Cross-origin requests to the compatible systems, apart from those to the API."""

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = "GET, POST, PUT, DELETE, OPTIONS"


class SiblingCORS:
    """Names a listed origin in the answer, with credentials; any other request is answered without a word about it.

    Args:
        app: what answers.
        origins: the listed ones. With ``*`` among them, others get ``*`` and never credentials.
    """

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or add headers to an answer."""
        request = Headers(scope=scope)
        origin = request.get("origin")
        if scope["type"] != "http" or origin is None:
            await self._app(scope, receive, send)
            return
        headers = self._headers(origin)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in request:
            wanted = request.get("access-control-request-headers")
            if headers and wanted is not None:
                headers["Access-Control-Allow-Headers"] = wanted
            if headers:
                headers["Access-Control-Allow-Methods"] = _METHODS
            await Response(status_code=204, headers={**headers, "Vary": "Origin"})(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                answer = MutableHeaders(scope=message)
                answer.update(headers)
                answer.add_vary_header("Origin")
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _headers(self, origin: str) -> dict[str, str]:
        if origin in self._origins:
            return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}
        if "*" in self._origins:
            return {"Access-Control-Allow-Origin": "*"}
        return {}
