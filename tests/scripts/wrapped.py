"""The service with both fast paths off: a middleware wraps ``receive`` and ``send`` of requests and sockets."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat_app.main import app


class Wrap:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def wrapped_receive() -> Message:
            return await receive()

        async def wrapped_send(message: Message) -> None:
            await send(message)

        await self._app(scope, wrapped_receive, wrapped_send)


app.add_middleware(Wrap)
