"""How errors become HTTP answers: the one table of statuses and texts, and the exception handlers.

Every code of the core is in ``ERRORS``. Texts are exact, clients search them. Nothing that is sent here comes from
inside the service: a text for operators is logged instead, once.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat_app._native import ChatError
from chat_app.validation_errors import describe_validation_errors

logger = logging.getLogger("izpochat.http")

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_BEARER = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True)
class ErrorAnswer:
    """Status and ``detail`` of an error, and headers beyond the usual.

    ``{value}`` in a text of ``ERRORS`` stands for ``ChatError.value``.
    """

    status: int
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """An answer this layer decides itself."""

    def __init__(self, answer: ErrorAnswer) -> None:
        super().__init__(answer.detail)
        self.answer = answer


NOT_AUTHENTICATED = ErrorAnswer(403, "Not authenticated")
WRONG_SCHEME = ErrorAnswer(403, "Invalid authentication credentials")
UPLOAD_STALLED = ErrorAnswer(408, "Request Timeout")
CLIENT_GONE = ErrorAnswer(400, "Client Closed Request")
ONLINE_TOKEN_REQUIRED = ErrorAnswer(401, "Token is required")
# The online list answers without the header, and hides whether the account is inactive.
ONLINE_BAD_TOKEN = ErrorAnswer(401, "Could not validate credentials")
INVALID_ROOM_ID = ErrorAnswer(400, "ID de sala inválido")
SPANISH_ROOM_NOT_FOUND = ErrorAnswer(404, "Sala no encontrada")

_INTERNAL = ErrorAnswer(500, "Error interno del servidor")
_UNAVAILABLE = ErrorAnswer(503, "Service temporarily unavailable", {"Retry-After": "1"})

ERRORS: Mapping[str, ErrorAnswer] = {
    "email_taken": ErrorAnswer(400, "Email already registered"),
    "username_taken": ErrorAnswer(400, "Username already taken"),
    "invalid_credentials": ErrorAnswer(401, "Incorrect username or password", _BEARER),
    "inactive_user": ErrorAnswer(400, "Inactive user"),
    "invalid_token": ErrorAnswer(401, "Could not validate credentials", _BEARER),
    "user_not_found": ErrorAnswer(404, "User not found"),
    "room_not_found": ErrorAnswer(404, "Room not found"),
    "room_access_denied": ErrorAnswer(403, "Access denied to this room"),
    "not_room_owner": ErrorAnswer(403, "Only room owner can perform this action"),
    "owner_cannot_leave": ErrorAnswer(400, "Room owner cannot leave their own room"),
    "not_a_member": ErrorAnswer(400, "User is not in this room"),
    "file_not_found": ErrorAnswer(404, "Archivo no encontrado"),
    "file_access_denied": ErrorAnswer(403, "No tienes acceso a este archivo"),
    "not_file_owner": ErrorAnswer(403, "No tienes permisos para eliminar este archivo"),
    "multipart_invalid": ErrorAnswer(400, "There was an error parsing the body"),
    "multipart_boundary_missing": ErrorAnswer(400, "Missing boundary in multipart."),
    # The routes of uploads answer 422 instead, which names their field.
    "file_missing": ErrorAnswer(422, "Field required"),
    "too_many_files": ErrorAnswer(400, "Máximo 10 archivos por vez"),
    "file_too_large": ErrorAnswer(413, "Archivo muy grande. Máximo permitido: {value}MB"),
    "file_type_not_allowed": ErrorAnswer(400, "Tipo de archivo no permitido: {value}"),
    "image_too_large": ErrorAnswer(400, "Imagen con demasiados píxeles"),
    "upload_failed": ErrorAnswer(500, "Error subiendo archivo"),
    "upload_aborted": CLIENT_GONE,
    "upload_stalled": UPLOAD_STALLED,
    "storage_unavailable": ErrorAnswer(404, "El bucket de almacenamiento no está disponible"),
    "messages_not_numbered": ErrorAnswer(501, "Messages are not numbered in this database"),
    "reading_not_known": ErrorAnswer(501, "It is not known in this database what was read"),
    "place_beyond_room": ErrorAnswer(400, "Lugar inexistente. Último de la sala: {value}"),
    "message_not_found": ErrorAnswer(404, "Mensaje no encontrado"),
    "not_message_sender": ErrorAnswer(403, "No tienes permisos para modificar este mensaje"),
    # Over REST a message may be empty, as when it is sent.
    "empty_message": ErrorAnswer(400, "Mensaje vacío"),
    "changes_unavailable": ErrorAnswer(501, "Messages cannot be changed in this database"),
    "handshake_refused": ErrorAnswer(403, "Forbidden"),
    "database_unavailable": _UNAVAILABLE,
    "internal": _INTERNAL,
    # These end the start of the service; a request meets them only where the server knows no lifespan.
    "database_login_failed": _UNAVAILABLE,
    "transaction_pooler": _UNAVAILABLE,
    "instance_running": _UNAVAILABLE,
    "schema_missing": _UNAVAILABLE,
    "invalid_configuration": _UNAVAILABLE,
}


def answer_of(error: ChatError) -> ErrorAnswer:
    """What a client is told about an error of the core."""
    answer = ERRORS.get(error.code, _INTERNAL)
    if error.value is None:
        return answer
    return replace(answer, detail=answer.detail.format(value=error.value))


@contextmanager
def spanish_room_errors(room_id: int) -> Iterator[None]:
    """The texts of the routes that read, join and use one room; the other room routes speak English."""
    try:
        yield
    except ChatError as error:
        if error.code != "room_not_found":
            raise
        raise ApiError(SPANISH_ROOM_NOT_FOUND if room_id > 0 else INVALID_ROOM_ID) from error


def unavailable_response() -> Response:
    """The answer while the service cannot serve at all."""
    return _respond(_UNAVAILABLE)


async def _on_api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _respond(error.answer)


async def _on_chat_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ChatError)
    answer = answer_of(error)
    if answer.status >= 500 or error.code == "storage_unavailable":
        level = logging.ERROR if answer.status == 500 else logging.WARNING
        logger.log(level, "%s %s failed: %s", request.method, request.url.path, error)
    return _respond(answer)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """Errors of the framework; its only 404 is the one of an unknown route."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return JSONResponse({"error": "Endpoint no encontrado", "status_code": 404}, 404)
    if error.status_code == 405:
        return JSONResponse({"detail": "Method Not Allowed"}, 405, {"Allow": ", ".join(_allowed_methods(request))})
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


async def _on_validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"detail": describe_validation_errors(error.errors())}, 422)


def _allowed_methods(request: Request) -> list[str]:
    """Every method the path has; the framework names only those of the first route that matches it."""

    def answers(method: str) -> bool:
        # HEAD is answered wherever GET is.
        scope: dict[str, Any] = {**request.scope, "method": "GET" if method == "HEAD" else method, "path_params": {}}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)

    return [method for method in _METHODS if answers(method)]


def _respond(answer: ErrorAnswer) -> Response:
    if answer is _INTERNAL:
        return JSONResponse({"error": answer.detail, "status_code": 500}, 500)
    return JSONResponse({"detail": answer.detail}, answer.status, dict(answer.headers))


_HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    ApiError: _on_api_error,
    ChatError: _on_chat_error,
    HTTPException: _on_http_exception,
    RequestValidationError: _on_validation_error,
}


class ErrorBoundary:
    """Answers whatever goes wrong, with the generic 500 where no handler above knows it.

    It sits inside the CORS middleware: Starlette's own place for a 500 is outside, and a browser would be told about a
    CORS problem instead of the error.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the scope on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def observe(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, observe)
        except Exception as error:
            if started:
                # Half an answer is out: the server logs this and drops the connection.
                raise
            response = await _answer_to(error, Request(scope, receive))
            await response(scope, receive, send)


async def _answer_to(error: Exception, request: Request) -> Response:
    handler = next((_HANDLERS[kind] for kind in type(error).__mro__ if kind in _HANDLERS), None)
    if handler is not None:
        try:
            return await handler(request, error)
        except Exception as failure:  # noqa: BLE001 - it is logged below
            error = failure
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _respond(_INTERNAL)
