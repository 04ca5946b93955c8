"""Accounts: registration, log-in, one's own account and the list of users."""

from typing import Annotated

from fastapi import APIRouter, Path

from chat_app import schemas
from chat_app.dependencies import Caller, RunningCore, error_responses
from chat_app.json_route import JsonBytes, JsonRoute

router = APIRouter(prefix="/api/users", tags=["users"], route_class=JsonRoute)


@router.post(
    "/register",
    status_code=201,
    response_model=schemas.User,
    responses=error_responses(400, 413, authenticated=False),
)
async def register_user(core: RunningCore, body: schemas.UserCreate) -> JsonBytes:
    """Create an account. The e-mail is checked first, then the username."""
    user = await core.register_user(
        username=body.username, email=body.email, full_name=body.full_name, password=body.password
    )
    return JsonBytes(user, 201)


@router.post("/login", response_model=schemas.Token, responses=error_responses(400, 401, 413, authenticated=False))
async def login(core: RunningCore, body: schemas.UserLogin) -> JsonBytes:
    """Get a token for the ``Authorization: Bearer`` header and for sockets."""
    return JsonBytes(await core.login(username=body.username, password=body.password))


@router.get("/me", response_model=schemas.User, responses=error_responses())
async def get_own_user(caller: Caller) -> JsonBytes:
    """The account behind the token."""
    return JsonBytes(await caller.get_own_user())


@router.put("/me", response_model=schemas.User, responses=error_responses(413))
async def update_own_user(caller: Caller, body: schemas.UserUpdate) -> JsonBytes:
    """Change one's account. After a new username the old token is no longer valid."""
    return JsonBytes(await caller.update_user(body.changes()))


@router.get("/me/rooms", response_model=list[schemas.OwnRoom], responses=error_responses())
async def list_own_rooms(caller: Caller) -> JsonBytes:
    """The rooms one is a member of, each with how far one has read."""
    return JsonBytes(await caller.list_rooms_of_user())


@router.get("/me/files", response_model=list[schemas.FileUpload], responses=error_responses())
async def list_own_files(caller: Caller, skip: schemas.Skip = 0, limit: schemas.Limit = 50) -> JsonBytes:
    """One's own files, newest first."""
    return JsonBytes(await caller.list_files_of_user(skip=skip, limit=limit))


@router.get("", response_model=list[schemas.User], responses=error_responses())
async def list_users(caller: Caller, skip: schemas.Skip = 0, limit: schemas.Limit = 100) -> JsonBytes:
    """All users by id."""
    return JsonBytes(await caller.list_users(skip=skip, limit=limit))


@router.get("/username/{username}", response_model=schemas.User, responses=error_responses(404))
async def get_user_by_username(caller: Caller, username: Annotated[schemas.Text, Path()]) -> JsonBytes:
    """One user by exact name."""
    return JsonBytes(await caller.get_user_by_username(username))


@router.get("/{user_id}", response_model=schemas.User, responses=error_responses(404))
async def get_user(caller: Caller, user_id: schemas.PathId) -> JsonBytes:
    """One user by id."""
    return JsonBytes(await caller.get_user(user_id))
