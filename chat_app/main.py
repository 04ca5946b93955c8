"""The application that servers import: ``uvicorn chat_app.main:app``.

Importing this reads no settings, opens nothing and cannot fail; see ``chat_app.application`` for the start.
"""

from starlette.routing import BaseRoute

from chat_app.application import ChatApplication
from chat_app.routers import rooms, service, uploads, users, websockets

# What clients ask for most, the most expensive first.
MOST_WANTED = ("/api/rooms/{room_id}/messages", "/api/users/me/rooms", "/api/users/me")


def create_app(*, conformance: tuple[float, float] | None = None) -> ChatApplication:
    """The application with all routes; see ``ChatApplication`` for ``conformance``."""
    app = ChatApplication(
        conformance=conformance,
        title="IzpoChat API",
        description="API backend para IzpoChat - Chat en tiempo real con soporte para archivos",
        version=service.VERSION,
    )
    for router in (users.router, rooms.router, uploads.router, websockets.router, service.router):
        # Not include_router: behind it every request goes through the routes of each router, and twice through its own.
        app.router.routes.extend(router.routes)
    # They are matched one after the other.
    app.router.routes.sort(key=_place)
    return app


def _place(route: BaseRoute) -> int:
    path = getattr(route, "path", None)
    return MOST_WANTED.index(path) if path in MOST_WANTED else len(MOST_WANTED)


app = create_app()
