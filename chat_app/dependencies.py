"""What endpoints ask for: the core, the caller, and the error answers that go into the API's documentation."""

from typing import Annotated, Any

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from chat_app import _native
from chat_app._native import ChatError, Core
from chat_app.core.config import Settings
from chat_app.errors import (
    NOT_AUTHENTICATED,
    ONLINE_BAD_TOKEN,
    ONLINE_TOKEN_REQUIRED,
    WRONG_SCHEME,
    ApiError,
)
from chat_app.schemas import ErrorDetail, ServerError


async def get_core(request: Request) -> Core:
    """The running core; the application starts it before any request gets here."""
    core: Core = request.app.state.core
    return core


async def get_settings(request: Request) -> Settings:
    """The settings of the running service."""
    settings: Settings = request.app.state.settings
    return settings


class BearerCaller(SecurityBase):
    """The caller that ``Authorization: Bearer`` names.

    Here only the token is checked. Who stands behind it is looked up together with what the endpoint asks for, and
    where the endpoint is not reached, by ``JsonRoute``.

    FastAPI's own class answers 401 without a token. The later web client logs its user out on a 401, so a missing
    token stays the 403 that the first releases sent.
    """

    def __init__(self) -> None:
        self.model = HTTPBearer()
        self.scheme_name = "HTTPBearer"

    async def __call__(self, request: Request) -> _native.Caller:
        """Check the header.

        Raises:
            ApiError: there is no token, or the scheme is another one.
            ChatError: the token is not valid.
        """
        core: Core = request.app.state.core
        scheme, token = _split_authorization(request)
        if not token:
            raise ApiError(NOT_AUTHENTICATED)
        if scheme != "bearer":
            raise ApiError(WRONG_SCHEME)
        request.state.caller = caller = core.identify(token)
        return caller


async def online_list_caller(request: Request) -> _native.Caller:
    """The caller of the online list: ``?token=``, or the header if that is absent or empty.

    Raises:
        RequestValidationError: there is no token anywhere.
        ApiError: the token is empty or not valid; without the header other routes send.
        ChatError: the service failed.
    """
    core: Core = request.app.state.core
    query_token = request.query_params.get("token")
    scheme, header_token = _split_authorization(request)
    token = query_token or (header_token if scheme == "bearer" else "")
    if not token and query_token is None:
        raise RequestValidationError(
            [{"type": "missing", "loc": ("query", "token"), "msg": "Field required", "input": None}]
        )
    if not token:
        raise ApiError(ONLINE_TOKEN_REQUIRED)
    try:
        caller = core.identify(token)
        await caller.authenticate()
    except ChatError as error:
        if error.code in {"invalid_token", "inactive_user"}:
            raise ApiError(ONLINE_BAD_TOKEN) from error
        raise
    return caller


def _split_authorization(request: Request) -> tuple[str, str]:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return scheme.lower(), token.strip()


RunningCore = Annotated[Core, Depends(get_core)]
ServiceSettings = Annotated[Settings, Depends(get_settings)]
Caller = Annotated[_native.Caller, Depends(BearerCaller())]
OnlineCaller = Annotated[_native.Caller, Depends(online_list_caller)]


def error_responses(*statuses: int, authenticated: bool = True) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for the documentation."""
    every = {*statuses, 503} | ({400, 401, 403} if authenticated else set())
    documented: dict[int | str, dict[str, Any]] = {status: {"model": ErrorDetail} for status in sorted(every)}
    documented[500] = {"model": ServerError}
    return documented
