"""The history of a room as it is usually built: SQLAlchemy, eager loading, and pydantic answer models.

The same tables, the same authentication and the same answer as the service. Everything is loaded with a fixed number
of queries; nothing is loaded lazily, row by row.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Column, ForeignKey, Table, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload, sessionmaker

SECRET_KEY = os.environ["SECRET_KEY"]
engine = create_engine(os.environ["DATABASE_URL"])
SessionLocal = sessionmaker(bind=engine)


class Base(DeclarativeBase):
    """The tables."""


user_rooms = Table(
    "user_rooms",
    Base.metadata,
    Column("user_id", ForeignKey("users.id")),
    Column("room_id", ForeignKey("rooms.id")),
)


class User(Base):
    """Table users."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str] = mapped_column(unique=True)
    hashed_password: Mapped[str]
    full_name: Mapped[str | None]
    is_active: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]


class Room(Base):
    """Table rooms."""

    __tablename__ = "rooms"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str | None]
    is_private: Mapped[bool]
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    owner: Mapped[User] = relationship()
    members: Mapped[list[User]] = relationship(secondary=user_rooms, order_by=User.id)


class FileUpload(Base):
    """Table file_uploads."""

    __tablename__ = "file_uploads"
    id: Mapped[int] = mapped_column(primary_key=True)
    original_filename: Mapped[str]
    stored_filename: Mapped[str]
    file_size: Mapped[int]
    content_type: Mapped[str]
    public_url: Mapped[str]
    uploader_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    uploaded_at: Mapped[datetime]
    uploader: Mapped[User] = relationship()


class Message(Base):
    """Table messages."""

    __tablename__ = "messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[str]
    sender_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"))
    file_id: Mapped[int | None] = mapped_column(ForeignKey("file_uploads.id"))
    created_at: Mapped[datetime]
    sender: Mapped[User] = relationship()
    room: Mapped[Room] = relationship()
    file: Mapped[FileUpload | None] = relationship()


class Answer(BaseModel):
    """An answer that is read from a row."""

    model_config = ConfigDict(from_attributes=True)


class UserAnswer(Answer):
    """A user without its password."""

    username: str
    email: str
    full_name: str | None
    id: int
    is_active: bool
    created_at: datetime
    updated_at: datetime | None


class RoomAnswer(Answer):
    """A room with its owner and members."""

    name: str
    description: str | None
    is_private: bool
    id: int
    owner_id: int
    created_at: datetime
    updated_at: datetime | None
    owner: UserAnswer
    members: list[UserAnswer]


class FileAnswer(Answer):
    """A file with its uploader."""

    original_filename: str
    stored_filename: str
    file_size: int
    content_type: str
    public_url: str
    id: int
    uploader_id: int
    uploaded_at: datetime
    uploader: UserAnswer


class MessageAnswer(Answer):
    """A message with everything it refers to."""

    content: str
    room_id: int
    id: int
    sender_id: int
    file_id: int | None
    created_at: datetime
    sender: UserAnswer
    room: RoomAnswer
    file: FileAnswer | None


def get_session() -> Iterator[Session]:
    """A session for one request."""
    with SessionLocal() as session:
        yield session


def get_user(
    session: Annotated[Session, Depends(get_session)],
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> User:
    """The user behind the token."""
    try:
        claims = jwt.decode(credentials.credentials, SECRET_KEY, algorithms=["HS256"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "Could not validate credentials") from error
    user = session.scalar(select(User).where(User.username == claims["sub"]))
    if user is None:
        raise HTTPException(401, "Could not validate credentials")
    if not user.is_active:
        raise HTTPException(400, "Inactive user")
    return user


app = FastAPI()


@app.get("/api/rooms/{room_id}/messages", response_model=list[MessageAnswer])
def list_messages(
    room_id: int,
    session: Annotated[Session, Depends(get_session)],
    user: Annotated[User, Depends(get_user)],
    skip: int = 0,
    limit: int = 50,
) -> list[Message]:
    """The newest messages of a room."""
    room = session.scalar(
        select(Room).where(Room.id == room_id).options(selectinload(Room.owner), selectinload(Room.members))
    )
    if room is None:
        raise HTTPException(404, "Sala no encontrada")
    if room.is_private and user not in room.members and user.id != room.owner_id:
        raise HTTPException(403, "Access denied to this room")
    history = (
        select(Message)
        .where(Message.room_id == room_id)
        .order_by(Message.created_at.desc(), Message.id.desc())
        .offset(skip)
        .limit(limit)
        .options(
            selectinload(Message.sender),
            # Loaded above already, so it costs no query.
            selectinload(Message.room),
            selectinload(Message.file).selectinload(FileUpload.uploader),
        )
    )
    return list(session.scalars(history))
