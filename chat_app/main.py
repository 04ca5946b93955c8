"""The application that servers import: ``uvicorn chat_app.main:app``.

Importing this reads no settings, opens nothing and cannot fail; ``chat_app.serve.lifespan`` starts the service.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from chat_app.compat.mount import CompatibleSystemsMiddleware
from chat_app.errors import EXCEPTION_HANDLERS
from chat_app.middleware import ContractCORS, EitherSlash, HeadMiddleware, KeptPrefixMiddleware
from chat_app.routers import rooms, service, uploads, users, websockets
from chat_app.serve.lifespan import Lifespan, ServiceLifespan, ServiceMiddleware
from chat_app.serve.unread_body import UnreadBodyMiddleware

TAGS = [
    {"name": "rooms", "description": "Rooms, their members, and their messages with history and read markers."},
    {"name": "users", "description": "Accounts: registration, log-in and profiles."},
    {"name": "uploads", "description": "Files: uploads, downloads and their metadata."},
    {"name": "sockets", "description": "Who is online. The WebSocket protocol is described in the project's docs."},
    {"name": "service", "description": "The service itself."},
]


def create_app(*, lifespan: Lifespan | None = None, **options: Any) -> FastAPI:
    """The application with all routes.

    Args:
        lifespan: runs inside the service's own, while the core is there.
        options: anything else that ``FastAPI`` takes.
    """
    service_lifespan = ServiceLifespan(inner=lifespan)
    app = FastAPI(
        title="IzpoChat API",
        description="API backend para IzpoChat - Chat en tiempo real con soporte para archivos",
        version=service.VERSION,
        openapi_tags=TAGS,
        generate_unique_id_function=_operation_id,
        lifespan=service_lifespan,
        exception_handlers=EXCEPTION_HANDLERS,
        # The contract parses a JSON body without a content type (section 2.7), and never redirects (section 2.1).
        strict_content_type=False,
        redirect_slashes=False,
        **options,
    )
    app.state.core = app.state.settings = app.state.compatible_systems = None
    app.state.uvicorn_config = app.state.start_refusal = None

    app.include_router(rooms.router)
    app.include_router(users.router)
    app.include_router(uploads.router)
    app.include_router(websockets.router)
    app.include_router(service.router)
    app.router.default = EitherSlash(app.router)

    # The last one added is the first that sees a request.
    app.add_middleware(ContractCORS)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(CompatibleSystemsMiddleware)
    app.add_middleware(KeptPrefixMiddleware)
    app.add_middleware(UnreadBodyMiddleware)
    app.add_middleware(ServiceMiddleware, lifespan=service_lifespan)
    return app


def _operation_id(route: APIRoute) -> str:
    """Names that read well in generated clients."""
    return route.name


app = create_app()
