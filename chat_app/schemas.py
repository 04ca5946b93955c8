"""The shapes of requests and responses.

Request models validate; most response models only document, because the core sends its responses encoded. Key order is
part of the contract with existing clients. A value that is absent from an update leaves the field unchanged, and so
does ``null`` where the field cannot be empty.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, EmailStr, Field, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

_INT64_MAX = 2**63 - 1
_WHOLE_NUMBER = re.compile(r"([+-]?)0*([0-9]+)(?:\.0+)?")
_BEYOND_INT64_DIGITS = 19
MAX_PAGE = 1000


def _parse_whole_number(value: object) -> object:
    """Numbers in paths and queries: a sign, blanks around and a ``.0`` tail are fine, anything else is not."""
    if not isinstance(value, str):
        return value
    match = _WHOLE_NUMBER.fullmatch(value.strip())
    if match is None:
        raise PydanticKnownError("int_parsing")
    sign, digits = match.groups()
    # Python refuses to read numbers of thousands of digits; beyond 64 bits the exact value does not matter.
    return int(sign + (digits if len(digits) <= _BEYOND_INT64_DIGITS else "9" * (_BEYOND_INT64_DIGITS + 1)))


def _clamp_to_int64(value: int) -> int:
    """No row has an id beyond 64 bits, and none has the largest."""
    return max(-_INT64_MAX - 1, min(value, _INT64_MAX))


def _clamp_to_page(value: int) -> int:
    return min(value, MAX_PAGE)


# The parser stands after the bounds and runs before them; in front of them, they would be lost to the documentation.
PathId = Annotated[int, BeforeValidator(_parse_whole_number), AfterValidator(_clamp_to_int64)]
Skip = Annotated[int, Field(ge=0, le=_INT64_MAX), BeforeValidator(_parse_whole_number)]
Limit = Annotated[int, Field(ge=0, le=_INT64_MAX), BeforeValidator(_parse_whole_number), AfterValidator(_clamp_to_page)]
# The number of a message, or of a change, in its room, from 1.
Seq = Annotated[int, Field(ge=0, le=_INT64_MAX), BeforeValidator(_parse_whole_number)]
BodyId = Annotated[int, AfterValidator(_clamp_to_int64)]

# Neither database stores U+0000 in a text; lone surrogates are refused by every string type.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Username = Annotated[Text, Field(min_length=1, max_length=255, examples=["ana"])]
Email = Annotated[EmailStr, Field(examples=["ana@example.com"])]
FullName = Annotated[Text, Field(max_length=255, examples=["Ana Pérez"])]
Password = Annotated[Text, Field(min_length=1, max_length=4096, examples=["correct horse battery staple"])]
RoomName = Annotated[Text, Field(max_length=255, examples=["General"])]
RoomDescription = Annotated[Text, Field(max_length=10_000, examples=["Where everybody meets."])]
MessageContent = Annotated[Text, Field(max_length=131_072, examples=["hola"])]


class UserCreate(BaseModel):
    """A new account."""

    username: Username
    email: Email
    full_name: FullName | None = None
    password: Password


class UserLogin(BaseModel):
    """A username and its password. Texts that no password can have are a wrong password."""

    username: Annotated[Text, Field(examples=["ana"])]
    password: Annotated[Text, Field(examples=["correct horse battery staple"])]


class UserUpdate(BaseModel):
    """Changes to one's own account; ``null`` clears ``full_name``."""

    username: Username | None = None
    email: Email | None = None
    full_name: FullName | None = None
    is_active: bool | None = None

    def changes(self) -> dict[str, Any]:
        """What is to be changed."""
        return _changes(self, clearable="full_name")


class RoomCreate(BaseModel):
    """A new room; the web client sends ``null`` for an untouched check box."""

    name: RoomName
    description: RoomDescription | None = None
    is_private: bool | None = False


class RoomUpdate(BaseModel):
    """Changes to a room; ``null`` clears ``description``."""

    name: RoomName | None = None
    description: RoomDescription | None = None
    is_private: bool | None = None

    def changes(self) -> dict[str, Any]:
        """What is to be changed."""
        return _changes(self, clearable="description")


class MemberAdd(BaseModel):
    """A user to add to a room, by id or by username."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "beto"}, {"user_id": 2}]})

    user_id: BodyId | None = None
    username: Text | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.user_id is None) == (self.username is None):
            raise PydanticCustomError("one_of", "Exactly one of user_id and username is required")
        return self


class MessageCreate(BaseModel):
    """A message. ``room_id`` must be an integer and is ignored: older clients repeat the room of the path."""

    content: MessageContent
    room_id: Annotated[int | None, Field(examples=[1])] = None
    file_id: Annotated[BodyId | None, Field(description="A file it carries.", examples=[None])] = None


class ReadMark(BaseModel):
    """The read marker of the caller in a room."""

    seq: Annotated[int, Field(ge=0, le=_INT64_MAX, description="The last message that was read.", examples=[17])]


class MessageEdit(BaseModel):
    """The new text of a message."""

    content: MessageContent


def _changes(update: BaseModel, *, clearable: str) -> dict[str, Any]:
    given = update.model_dump(exclude_unset=True)
    return {key: value for key, value in given.items() if value is not None or key == clearable}


class User(BaseModel):
    """An account, never with its password."""

    username: str
    email: str
    full_name: str | None
    id: int
    is_active: bool
    created_at: datetime | None
    updated_at: datetime | None


class Token(BaseModel):
    """A token for the ``Authorization`` header."""

    access_token: str
    token_type: Literal["bearer"]


class Room(BaseModel):
    """A room with its owner and all members."""

    name: str
    description: str | None
    is_private: bool
    id: int
    owner_id: int | None
    created_at: datetime | None
    updated_at: datetime | None
    owner: User | None
    members: list[User]


class OwnRoom(Room):
    """A room of the caller. The added keys are absent where the database keeps no read markers."""

    last_seq: int | None = None
    last_read_seq: int | None = None
    unread_count: int | None = None


class RoomReading(BaseModel):
    """The read marker of the caller in a room: everything up to ``last_read_seq`` is read."""

    room_id: int
    last_seq: int
    last_read_seq: int
    unread_count: int


class FileUpload(BaseModel):
    """A stored file."""

    original_filename: str
    stored_filename: str
    file_size: int
    content_type: str
    public_url: str
    id: int
    uploader_id: int
    uploaded_at: datetime | None
    uploader: User
    thumbnail_url: str | None = Field(default=None, description="Absent without a thumbnail.")


class Message(BaseModel):
    """A message with everything it refers to."""

    content: str
    room_id: int
    id: int
    sender_id: int
    file_id: int | None
    created_at: datetime | None
    sender: User
    room: Room
    file: FileUpload | None
    seq: int | None = None
    edited_at: datetime | None = Field(default=None, description="Absent unless it was edited.")
    deleted_at: datetime | None = Field(default=None, description="Absent unless it was deleted.")


class MessageChange(BaseModel):
    """The last change of a message."""

    type: Literal["message_edited", "message_deleted"]
    id: int
    seq: int
    room_id: int
    content: str | None = Field(default=None, description="Absent if it was deleted.")
    edited_at: datetime | None = Field(default=None, description="Absent if it was deleted.")
    deleted_at: datetime | None = Field(default=None, description="Absent unless it was deleted.")
    deleted_by: int | None = Field(default=None, description="Absent unless it was deleted.")
    change: int


class RoomNotice(BaseModel):
    """The outcome of joining or leaving a room."""

    message: str
    room_id: int


class OnlineUser(BaseModel):
    """A user with an open socket."""

    id: int
    username: str
    full_name: str | None


class OnlineUsers(BaseModel):
    """The users with an open socket in a room, in order of connection."""

    room_id: int
    online_users: list[OnlineUser]
    count: int


class FilePage(BaseModel):
    """A page of one's own files; ``total`` counts this page."""

    files: list[FileUpload]
    total: int
    skip: int
    limit: int


class RefusedFile(BaseModel):
    """A file that was not stored, and why."""

    filename: str | None
    error: str


class UploadReport(BaseModel):
    """The outcome of several uploads at once; ``errors`` is absent without any."""

    uploaded_files: list[FileUpload]
    total_uploaded: int
    total_files: int
    errors: list[RefusedFile] = []


class FileCategories(BaseModel):
    """The allowed types by kind."""

    documents: list[str]
    images: list[str]
    audio: list[str]
    video: list[str]


class AllowedTypes(BaseModel):
    """What may be uploaded."""

    allowed_types: list[str]
    max_file_size_mb: float
    categories: FileCategories


class Notice(BaseModel):
    """A text for the user."""

    message: str


class ErrorDetail(BaseModel):
    """The reason of a refusal."""

    detail: str


class ServerError(BaseModel):
    """Something unforeseen, or an unknown route."""

    error: str
    status_code: int
