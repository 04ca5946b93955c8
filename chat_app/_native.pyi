"""The Rust core of the chat service.

Every coroutine below runs on the core's own threads with the interpreter
released. JSON answers come back as ``bytes`` that are ready to be sent.
Numbers that name a row (``room_id`` and so on) may be any 64-bit integer: one that no
row can have is "not found".
"""

from collections.abc import Awaitable, Callable
from os import PathLike
from typing import Literal, Self, final

from chat_app.core.compat import CompatConfig

__all__ = [
    "ERROR_CODES",
    "MEDIA_TYPES",
    "Caller",
    "ChatError",
    "Content",
    "Core",
    "Download",
    "HistoryChunks",
    "SocketBridge",
    "Storage",
    "Upload",
    "init_tracing",
    "migrate_database",
]

class ChatError(Exception):
    """A use case was refused or failed.

    Args:
        message: an English sentence for logs; never shown to clients.
        code: stable name of the error, one of ``ERROR_CODES``.
        value: what the text of the answer names besides, where it names something: of ``file_type_not_allowed`` the
            declared type, of ``file_too_large`` the limit in megabytes.
    """

    code: str
    value: str | None

ERROR_CODES: tuple[str, ...]
"""Every value ``ChatError.code`` can have."""

MEDIA_TYPES: tuple[tuple[str, Literal["documents", "images", "audio", "video"]], ...]
"""The types of files that may be uploaded and their groups, in the order of the contract."""

@final
class Storage:
    """Where uploaded files are kept."""

    @staticmethod
    def local(folder: str | PathLike[str], *, public_base_url: str | None) -> Storage:
        """A folder of this machine.

        Args:
            folder: created if it is missing. If it cannot be used, uploads fail.
            public_base_url: where clients reach the service; None: every file keeps the address of its upload.
        """

    @staticmethod
    def gcs(
        *,
        bucket: str,
        credentials: str | PathLike[str] | None,
        emulator_host: str | None,
        signed_url_seconds: int | None,
    ) -> Storage:
        """A bucket of Google Cloud Storage; it need not be reachable when the service starts.

        Args:
            bucket: its name.
            credentials: the file with the key of a service account; needed but for an emulator.
            emulator_host: a URL, or host and port, of an emulator.
            signed_url_seconds: how long URLs are valid; None for objects that everybody may read.
        """

@final
class Core:
    """One running chat service: database, hub and socket threads.

    The constructor only stores the settings; ``start`` opens everything.
    Raises ``ValueError`` if a setting has a form the core cannot use (it names the key).
    """

    def __new__(
        cls,
        *,
        database_url: str,
        database_pool_size: int,
        secret_key: str,
        algorithm: str,
        access_token_expire_minutes: int,
        socket_threads: int,
        outbox_max_bytes: int,
        resume_max_messages: int,
        presence_grace_seconds: int,
        max_frames_per_second: int,
        compression: bool,
        session_max_age: int | None,
        shutdown_spread_seconds: int,
        redis_url: str | None,
        storage: Storage,
        max_file_bytes: int,
        compat: CompatConfig,
    ) -> Self: ...
    def start(self) -> Awaitable[None]:
        """Open the database, migrate it, take the single-process lock, start the socket threads.

        Raises ``ChatError`` with a code of kind start-up: ``database_unavailable``, ``database_login_failed``,
        ``transaction_pooler``, ``instance_running``, ``schema_missing``, ``invalid_configuration``. The message is
        meant for the operator and names the setting to change; it holds no password.
        """

    def start_for_conformance_suites(self, *, ping_interval: float, ping_timeout: float) -> Awaitable[None]:
        """Like ``start``, for tests: ``/socket.io/`` and ``/engine.io/`` serve the official conformance suites.

        Args:
            ping_interval: seconds between two pings.
            ping_timeout: seconds in which a ping must be answered.
        """

    def close_sockets(self) -> Awaitable[None]:
        """Accept no more sockets and close the others with 1012, over the seconds that the settings say."""

    def stop(self) -> Awaitable[None]:
        """Close every socket with 1012, flush accepted messages, close the database. Twice is fine."""

    def wait_lost(self) -> Awaitable[str | None]:
        """Wait until this process may no longer serve (another one holds the single-process lock); gives the reason.

        None once the service stops.
        """

    # Accounts -------------------------------------------------------------------------------------------------------
    def identify(self, token: str) -> Caller:
        """Check a token by itself; who stands behind it is looked up with each use case. Codes: ``invalid_token``."""

    def register_user(self, *, username: str, email: str, full_name: str | None, password: str) -> Awaitable[bytes]:
        """User. Codes: ``email_taken`` (checked first), ``username_taken``."""

    def login(self, *, username: str, password: str) -> Awaitable[bytes]:
        """``{"access_token", "token_type"}``. Codes: ``invalid_credentials``, ``inactive_user``."""

    # Rooms ----------------------------------------------------------------------------------------------------------
    def list_public_rooms(self, *, skip: int, limit: int) -> Awaitable[bytes]:
        """Array of Room by ascending id."""

    # Files ----------------------------------------------------------------------------------------------------------
    def download_object(
        self,
        key: str,
        *,
        if_none_match: str | None,
        if_modified_since: str | None,
        if_range: str | None,
        byte_range: str | None,
    ) -> Awaitable[Download]:
        """An object by the address that answers show, for whoever knows it; only with a local folder.

        Codes: ``file_not_found``, ``storage_unavailable``.
        """

    # Sibling systems ------------------------------------------------------------------------------------------------
    def max_compat_body(self, *, method: str, path: str, authorization: str | None) -> int:
        """The largest body, in bytes, that is to be read of a request to ``answer_compat``.

        Zero if the request is answered without waiting for its body.
        """

    def answer_compat(
        self,
        *,
        method: str,
        path: str,
        query: str,
        authorization: str | None,
        content_type: str | None,
        if_none_match: str | None,
        if_modified_since: str | None,
        if_range: str | None,
        byte_range: str | None,
        body: bytes | None,
    ) -> Awaitable[tuple[int, list[tuple[bytes, bytes]], bytes | Content]]:
        """Status, headers and body of the answer to a request below one of the mounts.

        Args:
            method: in upper case.
            path: decoded, below the root path.
            query: as it was sent, without the question mark.
            authorization: the header of that name, as the next five (``byte_range`` is ``Range``).
            body: None if it was too large to be read.
        """

    def open_compat_bridge(self, path: str, *, on_output: Callable[[], object]) -> Awaitable[SocketBridge]:
        """Open the socket of a sibling system at this path, see ``open_bridge``. Codes: ``handshake_refused``."""

    # Sockets --------------------------------------------------------------------------------------------------------
    def accept_socket(
        self,
        file_descriptor: int,
        head: bytes,
        *,
        root_path: str,
        ping_interval: float | None,
        ping_timeout: float | None,
        max_frame_bytes: int,
        max_connections: int | None,
    ) -> None:
        """Take over a connected, non-blocking stream socket whose complete HTTP/1.1 upgrade request is ``head``.

        The core owns ``file_descriptor`` from here on, answers the handshake itself (101, or 403 with an empty
        body) and never calls back.

        Raises:
            RuntimeError: the core is not running; the descriptor still belongs to the caller.
        """

    def open_bridge(
        self, room_id: str, query: str, protocols: list[str], *, on_output: Callable[[], object]
    ) -> Awaitable[SocketBridge]:
        """Open a session whose frames travel through ASGI messages instead of a descriptor.

        Args:
            room_id: the path segment as the client sent it.
            query: the query of the request, as the client sent it: the token, and what the client asks for.
            protocols: the subprotocols that the client offers; answer with the first one.
            on_output: called from a core thread, without arguments, each time the output goes from empty to
                non-empty; meant to be ``loop.call_soon_threadsafe`` bound to an event.

        Raises:
            ChatError: ``handshake_refused``; answer 403 before accepting. ``database_unavailable``; answer 503.
        """

    def open_socket_io_bridge(
        self, path: str, query: str, authorization: str | None, *, on_output: Callable[[], object]
    ) -> Awaitable[SocketBridge]:
        """Open a Socket.IO connection, or upgrade one, whose frames travel through ASGI messages.

        Args:
            path: below the root path.
            query: as the client sent it.
            authorization: the header of that name.
            on_output: as for ``open_bridge``.

        Raises:
            ChatError: ``handshake_refused``; answer 403 before accepting.
        """

    def request_socket_io(
        self, path: str, method: str, query: str, authorization: str | None, body: bytes
    ) -> Awaitable[tuple[int, str, bytes]]:
        """Serve an HTTP request of a Socket.IO client; gives status, content type and body.

        A GET of a session waits until there is something to send, at the latest a ping. Requests are taken up in the
        order of the calls.
        """

    def abandon_socket_io(self, path: str, query: str) -> None:
        """Say that the client of a request is gone before its answer: that ends its session."""

@final
class Caller:
    """Whoever a valid token names; made by ``Core.identify``.

    Every coroutine reads the user from the database as it is then. So besides its own codes each has
    ``invalid_token``, if there is no such user, and ``inactive_user``; both come before any other.
    """

    def authenticate(self) -> Awaitable[None]:
        """Look the user up and do nothing else."""

    # Accounts -------------------------------------------------------------------------------------------------------
    def get_own_user(self) -> Awaitable[bytes]:
        """User."""

    def get_user(self, user_id: int) -> Awaitable[bytes]:
        """User. Codes: ``user_not_found``."""

    def get_user_by_username(self, username: str) -> Awaitable[bytes]:
        """User. Codes: ``user_not_found``."""

    def list_users(self, *, skip: int, limit: int) -> Awaitable[bytes]:
        """Array of User by ascending id."""

    def update_user(self, changes: dict[str, object]) -> Awaitable[bytes]:
        """User after the change.

        Args:
            changes: any of ``username`` str, ``email`` str, ``full_name`` str or None (None clears it),
                ``is_active`` bool. A key that is absent is left unchanged.

        Codes: ``email_taken``, ``username_taken``.
        """

    # Rooms ----------------------------------------------------------------------------------------------------------
    def list_rooms_of_user(self) -> Awaitable[bytes]:
        """Array of Room by ascending id: every room with a membership row of the user, and how far one has read."""

    def create_room(self, *, name: str, description: str | None, is_private: bool) -> Awaitable[bytes]:
        """Room; the caller is its owner and first member."""

    def get_room(self, room_id: int) -> Awaitable[bytes]:
        """Room. Codes: ``room_not_found``, ``room_access_denied``."""

    def update_room(self, room_id: int, changes: dict[str, object]) -> Awaitable[bytes]:
        """Room after the change; ``changes`` may hold ``name`` str, ``description`` str or None, ``is_private`` bool.

        Codes: ``room_not_found``, ``not_room_owner``.
        """

    def join_room(self, room_id: int) -> Awaitable[bool]:
        """True if the user became a member, False if already one. Codes: ``room_not_found``, ``room_access_denied``."""

    def leave_room(self, room_id: int) -> Awaitable[None]:
        """Codes: ``room_not_found``, ``owner_cannot_leave``, ``not_a_member``."""

    def add_room_member(self, room_id: int, *, user_id: int | None, username: str | None) -> Awaitable[bytes]:
        """User that is now a member. Owner only; exactly one of ``user_id`` and ``username`` is given.

        Codes: ``room_not_found``, ``not_room_owner``, ``user_not_found``.
        """

    def list_room_members(self, room_id: int) -> Awaitable[bytes]:
        """Array of User by ascending id. Codes: ``room_not_found``, ``room_access_denied``."""

    def list_online_users(self, room_id: int) -> Awaitable[bytes]:
        """``{"room_id", "online_users", "count"}`` in order of connection.

        Codes: ``room_not_found``, ``room_access_denied``.
        """

    # Messages -------------------------------------------------------------------------------------------------------
    def list_messages(
        self, room_id: int, *, skip: int, limit: int, before_seq: int | None, after_seq: int | None
    ) -> Awaitable[bytes | HistoryChunks]:
        """Array of Message; a large one in pieces.

        Newest first, without ``skip`` messages or from in front of ``before_seq``; with ``after_seq`` oldest first,
        from behind it and in front of ``before_seq``, if that is given too.

        Codes: ``room_not_found``, ``room_access_denied``, ``messages_not_numbered``.
        """

    def send_message(
        self, room_id: int, *, content: str, file_id: int | None, client_id: str | None
    ) -> Awaitable[bytes]:
        """Message, stored and sent to the open sockets of the room; with a ``client_id`` that was used, the first one.

        Args:
            content: the text, at most 131,072 characters.
            file_id: a file it carries.
            client_id: 1 to 128 characters, none a control character.

        Codes: ``room_not_found``, ``room_access_denied``, ``file_not_found``, ``file_access_denied``.
        """

    def mark_read(self, room_id: int, seq: int) -> Awaitable[bytes]:
        """Move the marker of what the caller has read forward to that place; gives how far the caller has read now.

        Codes: ``room_not_found``, ``room_access_denied``, ``reading_not_known``, ``place_beyond_room`` (value: the last
        place of the room).
        """

    def edit_message(self, room_id: int, message_id: int, *, content: str) -> Awaitable[bytes]:
        """Message, with another text; those who have asked for changes hear of it.

        Codes: ``room_not_found``, ``room_access_denied``, ``message_not_found``, ``not_message_sender``,
        ``changes_unavailable``.
        """

    def delete_message(self, room_id: int, message_id: int) -> Awaitable[None]:
        """Take text and file off a message, which keeps its place; again, nothing happens.

        Codes: as of ``edit_message``.
        """

    def list_changes(self, room_id: int, *, after: int, limit: int) -> Awaitable[bytes]:
        """Array of the messages that were changed behind ``after``, with the keys of the frames, oldest change first.

        Codes: ``room_not_found``, ``room_access_denied``, ``changes_unavailable``.
        """

    # Files ----------------------------------------------------------------------------------------------------------
    def begin_upload(self, *, multiple: bool, content_type: str | None, base_url: str) -> Awaitable[Upload]:
        """Start to receive a form; waits while too many of the user's uploads are under way.

        Args:
            multiple: up to ten files in the field ``files``, instead of one in ``file``.
            content_type: the header of the request.
            base_url: where clients reach the service, without a slash at the end.

        Codes: ``file_missing``, ``multipart_boundary_missing``.
        """

    def delete_file(self, file_id: int) -> Awaitable[None]:
        """Messages that carry the file stay. Codes: ``file_not_found``, ``not_file_owner``."""

    def download_file(
        self,
        file_id: int,
        *,
        if_none_match: str | None,
        if_modified_since: str | None,
        if_range: str | None,
        byte_range: str | None,
    ) -> Awaitable[Download]:
        """The content, with the stored type and name.

        Codes: ``file_not_found``, ``file_access_denied``, ``storage_unavailable``.
        """

    def get_file(self, file_id: int) -> Awaitable[bytes]:
        """FileUpload. Codes: ``file_not_found``, ``file_access_denied``."""

    def list_files_of_user(self, *, skip: int, limit: int) -> Awaitable[bytes]:
        """Array of the user's own FileUpload, newest first."""

@final
class Upload:
    """A form that is being received. Its work goes on by itself, with bounded memory."""

    def feed(self, chunk: bytes) -> bool | Awaitable[bool]:
        """Pass on a piece of the body, as it came; wait for the answer if there is one to wait for.

        False once nothing more is needed, because it is clear how the upload ends.
        """

    def finish(self) -> Awaitable[tuple[list[bytes], list[tuple[str, ChatError]]]]:
        """End the body and wait for the outcome: FileUpload of each stored file, names and reasons of the others.

        Codes of the whole: ``file_missing``, ``multipart_invalid``, ``too_many_files``, ``upload_failed``,
        ``storage_unavailable``; of a file, raised if there is only one: ``file_too_large``, ``file_type_not_allowed``,
        ``image_too_large``. Nothing is stored then.
        """

    def finish_from_socket(
        self, file_descriptor: int, length: int
    ) -> Awaitable[tuple[list[bytes], list[tuple[str, ChatError]]]]:
        """Read the rest of the body from a connected, non-blocking stream socket and wait for the outcome.

        The core owns ``file_descriptor`` from here on; nobody else may read from the connection until the outcome is
        there. What a refused client still sends is read and thrown away for some seconds. Codes: as ``finish``, and
        ``upload_aborted``, ``upload_stalled``.

        Raises:
            RuntimeError: the descriptor is closed.
        """

    def abort(self) -> None:
        """Give up, unless the upload has been finished: nothing is stored."""

@final
class Download:
    """A file on its way to a client."""

    @property
    def outcome(self) -> Literal["whole", "part", "not_modified", "unsatisfiable"]:
        """What is sent."""

    @property
    def etag(self) -> str:
        """With its quotes."""

    @property
    def modified(self) -> float:
        """Seconds since 1970."""

    @property
    def content_type(self) -> str:
        """As it was declared."""

    @property
    def disposition(self) -> str:
        """The value of ``Content-Disposition``."""

    @property
    def is_inline(self) -> bool:
        """Whether a browser may show it in place."""

    @property
    def length(self) -> int:
        """The number of bytes that follow."""

    @property
    def content_range(self) -> str | None:
        """The value of ``Content-Range``, if it has to be sent."""

    def next_chunk(self) -> Awaitable[bytes | None]:
        """The next bytes, None at the end. Raises ``ChatError`` if the answer has to be cut off."""

@final
class Content:
    """The body of an answer that comes piece by piece."""

    @property
    def length(self) -> int:
        """The number of bytes that follow."""

    def next_chunk(self) -> Awaitable[bytes | None]:
        """As that of ``Download``."""

@final
class HistoryChunks:
    """The pieces of a large JSON text in order, each made when it is asked for."""

    def __iter__(self) -> HistoryChunks: ...
    def __next__(self) -> bytes: ...

@final
class SocketBridge:
    """One session that is fed by ASGI messages."""

    def send_text(self, text: str) -> Awaitable[None]:
        """Hand a text frame from the client to the session; waits while the session is behind."""

    def send_binary(self, payload: bytes) -> Awaitable[None]:
        """Hand a binary frame from the client to the session, like ``send_text``."""

    def take_output(self) -> tuple[list[str | bytes], tuple[int, str] | None]:
        """The frames to send now, and close code and reason once the session has ended (frames come first)."""

    def disconnect(self) -> None:
        """The client is gone: leave the room now."""

def init_tracing(level: str) -> None:
    """Send the core's log records to Python's ``logging`` under ``izpochat.*`` from ``level`` on."""

def migrate_database(database_url: str) -> list[str]:
    """Create what is missing in the database and touch nothing else; gives the names of the tables created.

    Raises ``ChatError`` as ``Core.start`` does.
    """
