"""Accounts: registration, log-in, one's own account and the list of users."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from chat_app import schemas
from chat_app.dependencies import RunningCore, TokenCaller, error_responses
from chat_app.json_routes import EncodedJson, JsonRoute

router = APIRouter(prefix="/api/users", tags=["users"], route_class=JsonRoute)


@router.post(
    "/register",
    status_code=201,
    response_model=schemas.User,
    responses=error_responses(400, 413, authenticated=False),
)
async def register_user(core: RunningCore, body: schemas.UserCreate) -> Response:
    """Create an account. The e-mail address is checked first, then the username."""
    user = await core.register_user(
        username=body.username, email=body.email, full_name=body.full_name, password=body.password
    )
    return EncodedJson(user, 201)


@router.post("/login", response_model=schemas.Token, responses=error_responses(400, 401, 413, authenticated=False))
async def login(core: RunningCore, body: schemas.UserLogin) -> Response:
    """Get a token for the `Authorization: Bearer` header and for sockets."""
    return EncodedJson(await core.login(username=body.username, password=body.password))


@router.get("/me", response_model=schemas.User, responses=error_responses())
async def get_own_user(caller: TokenCaller) -> Response:
    """The account behind the token."""
    return EncodedJson(await caller.get_own_user())


@router.put("/me", response_model=schemas.User, responses=error_responses(413))
async def update_own_user(caller: TokenCaller, body: schemas.UserUpdate) -> Response:
    """Change one's own account. A new username ends the token: log in again."""
    return EncodedJson(await caller.update_user(body.changes()))


@router.get("/me/rooms", response_model=list[schemas.OwnRoom], responses=error_responses())
async def list_own_rooms(caller: TokenCaller) -> Response:
    """The rooms of which the caller is a member, each with its read marker."""
    return EncodedJson(await caller.list_rooms_of_user())


@router.get("/me/files", response_model=list[schemas.FileUpload], responses=error_responses())
async def list_own_files(caller: TokenCaller, skip: schemas.Skip = 0, limit: schemas.Limit = 50) -> Response:
    """The files of the caller, newest first."""
    return EncodedJson(await caller.list_files_of_user(skip=skip, limit=limit))


@router.get("/", response_model=list[schemas.User], responses=error_responses())
async def list_users(caller: TokenCaller, skip: schemas.Skip = 0, limit: schemas.Limit = 100) -> Response:
    """All users by ascending id."""
    return EncodedJson(await caller.list_users(skip=skip, limit=limit))


@router.get("/username/{username}", response_model=schemas.User, responses=error_responses(404))
async def get_user_by_username(caller: TokenCaller, username: Annotated[schemas.Text, Path()]) -> Response:
    """One user by exact username."""
    return EncodedJson(await caller.get_user_by_username(username))


@router.get("/{user_id}", response_model=schemas.User, responses=error_responses(404))
async def get_user(caller: TokenCaller, user_id: schemas.PathId) -> Response:
    """One user by id."""
    return EncodedJson(await caller.get_user(user_id))
