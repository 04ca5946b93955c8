"""What somebody writes who builds on the service: guarded routes, middleware, error handlers, an override."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Cookie, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat_app.core.config import Settings
from chat_app.dependencies import Caller, get_settings
from chat_app.main import create_app
from chat_app.routers import rooms

seen: list[str] = []


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    seen.append(f"lifespan with {type(app.state.core).__name__}")
    yield {"greeting": "hola"}


app = create_app(lifespan=lifespan, debug=True)
app.router.add_event_handler("startup", lambda: seen.append("startup"))


class Item(BaseModel):
    name: str


def deny() -> None:
    raise HTTPException(418, "no")


def inner(color: str) -> str:
    return color.upper()


def outer(color: Annotated[str, Depends(inner)]) -> str:
    return f"outer {color}"


def resource() -> Iterator[str]:
    yield "resource"
    seen.append("resource closed")


def add_routes(router: APIRouter) -> None:
    @router.get("/{room_id}/x-guarded", dependencies=[Depends(deny)])
    async def guarded() -> None: ...

    @router.get("/{room_id}/x-caller")
    async def for_callers(room_id: int, _caller: Caller) -> int:
        return room_id

    @router.get("/{room_id}/x-parameters")
    async def parameters(
        color: Annotated[str, Depends(outer)],
        number: Annotated[int, Query(alias="the-number")],
        tag: Annotated[list[str], Query()],
        flavor: Annotated[str | None, Cookie()] = None,
    ) -> list[Any]:
        return [color, number, tag, flavor]

    @router.post("/{room_id}/x-created", status_code=202)
    def created(
        room_id: int, item: Item, tasks: BackgroundTasks, response: Response, value: Annotated[str, Depends(resource)]
    ) -> dict[str, Any]:
        tasks.add_task(seen.append, f"background {room_id}")
        response.headers["X-Added"] = "yes"
        return {"room": room_id, "name": item.name, "value": value}


# On a router of the service, and on one of somebody else.
add_routes(rooms.router)
theirs = APIRouter(prefix="/theirs")
add_routes(theirs)
app.include_router(theirs)
app.include_router(theirs, prefix="/all-guarded", dependencies=[Depends(deny)])


class TeaError(Exception):
    pass


@app.exception_handler(TeaError)
async def on_tea(_request: Request, error: TeaError) -> Response:
    return PlainTextResponse(f"tea: {error}", 418)


@app.get("/fails/{how}/")
async def fails(how: str) -> None:
    raise {"tea": TeaError("hot"), "missing": HTTPException(404, "no such thing")}.get(how, RuntimeError("a secret"))


def own_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings.model_copy(update={"max_file_size": 7 * 1024 * 1024})


app.dependency_overrides[get_settings] = own_settings


@app.middleware("http")
async def stamp(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    response.headers["X-Stamp"] = request.state.greeting
    return response


class NoteMessages:
    """Wraps ``receive`` and ``send`` of everything, sockets included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_noted() -> Message:
            message = await receive()
            seen.append(f"receive {message['type']}")
            return message

        async def send_noted(message: Message) -> None:
            seen.append(f"send {message['type']}")
            await send(message)

        await self._app(scope, receive_noted, send_noted)


app.add_middleware(NoteMessages)
other = FastAPI()
app.mount("/other", other)


@other.get("/inside")
async def inside(request: Request) -> str:
    return str(request.scope["root_path"])


@app.get("/seen")
async def what_was_seen() -> list[str]:
    return seen


@app.head("/head")
async def own_head() -> Response:
    return Response(status_code=204)
