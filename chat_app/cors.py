"""Cross-origin requests, as section 2.8 of the contract has them."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Message, Send


class ContractCORSMiddleware(CORSMiddleware):
    """Starlette's middleware, but with every origin allowed a simple answer says ``*``.

    Newer releases name the origin there, which lets any page read answers with credentials. It is named only when the
    request carries a cookie, as the release the clients were recorded with did.
    """

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        """Add the headers to the start of an answer."""
        if not self.allow_all_origins or "origin" not in request_headers or "cookie" in request_headers:
            await super().send(message, send, request_headers)
            return
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            MutableHeaders(scope=message).update(self.simple_headers)
        await send(message)
