"""What endpoints ask for: the core, the settings and the caller; and the error answers for the documentation."""

from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.models import HTTPBearer
from fastapi.requests import HTTPConnection
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param

from chat_app import _native
from chat_app._native import ChatError, Core
from chat_app.core.config import Settings
from chat_app.schemas import ErrorDetail, ServerError


async def get_core(connection: HTTPConnection) -> Core:
    """The running core; the application starts it before any request gets here."""
    core: Core = connection.app.state.core
    return core


async def get_settings(request: Request) -> Settings:
    """The settings of the running service."""
    settings: Settings = request.app.state.settings
    return settings


RunningCore = Annotated[Core, Depends(get_core)]
ServiceSettings = Annotated[Settings, Depends(get_settings)]


class BearerCaller(SecurityBase):
    """The caller that ``Authorization: Bearer`` names; section 3.5 of the contract.

    Only the token is checked here: each method of the caller looks the user up first. Where the endpoint is not
    reached, because the request is not valid, the handler of validation errors does.

    FastAPI's own class answers 401 without a token. The later web client logs its user out on a 401, so a missing
    token stays the 403 that the first releases sent.
    """

    def __init__(self) -> None:
        self.model = HTTPBearer(description="The `access_token` of a log-in.", bearerFormat="JWT")
        self.scheme_name = "HTTPBearer"

    async def __call__(self, request: Request) -> _native.Caller:
        """Check the header.

        Raises:
            HTTPException: there is no token, or the scheme is another one.
            ChatError: the token is not valid.
        """
        scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
        if not token:
            raise HTTPException(403, "Not authenticated")
        if scheme.lower() != "bearer":
            raise HTTPException(403, "Invalid authentication credentials")
        core: Core = request.app.state.core
        request.state.caller = caller = core.identify(token)
        return caller


get_token_caller = BearerCaller()
TokenCaller = Annotated[_native.Caller, Depends(get_token_caller)]


async def get_caller(caller: TokenCaller) -> _native.Caller:
    """The caller, whose account exists and is active. For endpoints and guards that do something of their own.

    Raises:
        ChatError: the token is not valid, or its user is not there or not active.
    """
    await caller.authenticate()
    return caller


async def get_online_list_caller(
    request: Request,
    core: RunningCore,
    token: Annotated[str | None, Query(description="Instead of the header.")] = None,
) -> _native.Caller:
    """The caller of the online list: ``?token=``, or the header if that is absent or empty (section 6.6).

    Raises:
        RequestValidationError: there is no token anywhere.
        HTTPException: the token is empty or not valid; without the header other routes send.
        ChatError: the service failed.
    """
    scheme, header_token = get_authorization_scheme_param(request.headers.get("authorization"))
    used = token or (header_token if scheme.lower() == "bearer" else "")
    if not used:
        if token is None:
            raise RequestValidationError(
                [{"type": "missing", "loc": ("query", "token"), "msg": "Field required", "input": None}]
            )
        raise HTTPException(401, "Token is required")
    try:
        caller = core.identify(used)
        await caller.authenticate()
    except ChatError as error:
        if error.code in {"invalid_token", "inactive_user"}:
            # Without the header of other routes, and without a word about whether the account is inactive.
            raise HTTPException(401, "Could not validate credentials") from error
        raise
    return caller


Caller = Annotated[_native.Caller, Depends(get_caller)]
OnlineListCaller = Annotated[_native.Caller, Depends(get_online_list_caller)]


def error_responses(*statuses: int, authenticated: bool = True) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for the documentation."""
    every = {*statuses, 503} | ({400, 401, 403} if authenticated else set())
    documented: dict[int | str, dict[str, Any]] = {status: {"model": ErrorDetail} for status in sorted(every - {422})}
    if 422 in every:
        # The framework adds it only where it reads parameters itself.
        schema = {"$ref": "#/components/schemas/HTTPValidationError"}
        documented[422] = {"description": "Validation Error", "content": {"application/json": {"schema": schema}}}
    documented[500] = {"model": ServerError}
    return documented
