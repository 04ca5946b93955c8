"""How errors become HTTP answers: the one table of statuses and texts, and the exception handlers.

Every code of the core is in ``ERRORS``. Texts are exact, clients search them. Nothing that is sent here comes from
inside the service: a text for operators is logged instead, once.
"""

import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from chat_app._native import ChatError
from chat_app.middleware import ContractCORS, UnknownRoute, served_methods
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
    "upload_aborted": ErrorAnswer(400, "Client Closed Request"),
    "upload_stalled": ErrorAnswer(408, "Request Timeout"),
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
        if room_id > 0:
            raise HTTPException(404, "Sala no encontrada") from error
        raise HTTPException(400, "ID de sala inválido") from error


def unavailable_response() -> Response:
    """The answer while the service cannot serve at all."""
    return _respond(_UNAVAILABLE)


async def _on_chat_error(request: Request, error: ChatError) -> Response:
    answer = answer_of(error)
    if answer.status >= 500 or error.code == "storage_unavailable":
        level = logging.ERROR if answer.status == 500 else logging.WARNING
        logger.log(level, "%s %s failed: %s", request.method, request.url.path, error)
    return _respond(answer)


async def _on_validation_error(request: Request, error: RequestValidationError) -> Response:
    """Authentication comes before validation (section 2.7): look up the user whose token was only checked so far."""
    caller = getattr(request.state, "caller", None)
    if caller is not None:
        try:
            await caller.authenticate()
        except ChatError as refusal:
            return await _on_chat_error(request, refusal)
    return JSONResponse({"detail": describe_validation_errors(error.errors())}, 422)


async def _on_unknown_route(_request: Request, _error: UnknownRoute) -> Response:
    """Unknown routes have a body of their own (section 2.6)."""
    return JSONResponse({"error": "Endpoint no encontrado", "status_code": 404}, 404)


async def _on_method_not_allowed(request: Request, error: HTTPException) -> Response:
    """``Allow`` lists every method of the path (section 2.1); the framework names those of one route."""
    methods = served_methods(request.app.router, request.scope, _METHODS)
    if "GET" in methods and "HEAD" not in methods:
        methods.append("HEAD")
    return JSONResponse({"detail": error.detail}, 405, {"Allow": ", ".join(methods)})


async def _on_unforeseen_error(_request: Request, _error: Exception) -> Any:
    """The generic 500 with CORS headers (section 2.6): without them a browser reports a CORS problem instead.

    The framework answers it outside of all middleware, and raises the error again for the server to log.
    """
    return ContractCORS(_respond(_INTERNAL))


def _respond(answer: ErrorAnswer) -> Response:
    if answer is _INTERNAL:
        return JSONResponse({"error": answer.detail, "status_code": 500}, 500)
    return JSONResponse({"detail": answer.detail}, answer.status, dict(answer.headers))


EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Any]]] = {
    ChatError: _on_chat_error,
    RequestValidationError: _on_validation_error,
    UnknownRoute: _on_unknown_route,
    405: _on_method_not_allowed,
    Exception: _on_unforeseen_error,
}
