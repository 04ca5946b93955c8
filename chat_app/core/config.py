"""The settings of the service: environment variables, then ``.env`` in the working directory.

Read as a whole each time the service starts, never at import. Every bad value is reported at once, each with its key,
what was found and what is expected; values that may hold a secret are never shown. Unknown keys are ignored, because
people carry ``.env`` files over from other versions. A secret may be in a file instead, which ``<KEY>_FILE`` names.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

_SECRET_KEYS = frozenset(
    {
        "database_url",
        "secret_key",
        "jwt_secret",
        "meetings_jwt_secret",
        "ws_hub_jwt_secret",
        "webrtc_jwt_secret",
        "livekit_api_secret",
        "redis_url",
    }
)
_POSTGRES_SCHEMES = frozenset({"postgres", "postgresql"})
_REDIS_SCHEMES = frozenset({"redis", "rediss", "unix", "redis+unix"})


logger = logging.getLogger("izpochat.config")


class ConfigurationError(Exception):
    """The settings cannot be used; the text lists every problem, one per line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(["The configuration cannot be used:", *(f"  {problem}" for problem in problems)]))
        self.problems = problems


class EnvironmentSettings(BaseSettings):
    """What is read from the environment. The description of a field completes "expected …" in error messages."""

    model_config = SettingsConfigDict(
        case_sensitive=False,
        env_file=".env",
        # Editors on Windows write a byte order mark.
        env_file_encoding="utf-8-sig",
        # "KEY=" in a copied sample file means that the key is not set.
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    @classmethod
    def load(cls) -> Self:
        """Read and check everything.

        Raises:
            ConfigurationError: with all problems at once.
        """
        try:
            settings = cls()
        except ValidationError as error:
            problems = [_describe(item, cls.model_fields) for item in error.errors(include_url=False)]
            raise ConfigurationError(problems) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError([f".env: it cannot be read ({error})"]) from None
        settings._warn_of_quotes()
        return settings

    def _warn_of_quotes(self) -> None:
        # docker --env-file keeps the quotes that .env files have. Tokens may be signed with such a value already, so it
        # stays as it is.
        for key in type(self).model_fields:
            value = getattr(self, key)
            text = value.get_secret_value() if isinstance(value, SecretStr) else value
            if isinstance(text, str) and len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
                logger.warning("%s: the quotes around the value are taken as a part of it", key.upper())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the files that hold secrets."""
        return init_settings, env_settings, dotenv_settings, _SecretFiles(settings_cls), file_secret_settings

    @field_validator("*", mode="before")
    @classmethod
    def _trim(cls, value: object) -> object:
        # A line end is never meant: files from Windows bring it along. Blanks may be a part of a secret.
        return value.strip("\r\n") if isinstance(value, str) else value


class _SecretFiles(PydanticBaseSettingsSource):
    """The secrets whose ``<KEY>_FILE`` is set: the content of that file, without the line end behind it."""

    def __call__(self) -> dict[str, str]:
        """Read all files.

        Raises:
            ConfigurationError: a file cannot be read, or the key is set as well.
        """
        given = environment_variables()
        contents, problems = {}, []
        for key in _SECRET_KEYS & set(self.settings_cls.model_fields):
            path = given.get(f"{key}_file", "")
            if not path:
                continue
            if given.get(key):
                problems.append(f"{key.upper()}_FILE: {key.upper()} is set too; expected one of them")
                continue
            try:
                contents[key] = Path(path).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{key.upper()}_FILE: {path!r} cannot be read ({error}); expected the path of a file")
        if problems:
            raise ConfigurationError(problems)
        return contents

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: ``__call__`` gives all values."""
        raise NotImplementedError(field, field_name)


def environment_variables() -> dict[str, str]:
    """What ``.env`` and the environment hold, by name in lower case; line ends at the end are left out."""
    variables = {**dotenv_values(".env", encoding="utf-8-sig"), **os.environ}
    return {name.lower(): (value or "").strip("\r\n") for name, value in variables.items()}


class Settings(EnvironmentSettings):
    """Every setting of the service but those of the sibling systems (``core/compat.py``), typed."""

    app_name: str = Field(default="IzpoChat API", description="a text")
    debug: bool = Field(default=False, description="true or false")
    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///data/izpochat.db"),
        description="postgresql://user:password@host:5432/database or sqlite:///path/to/file.db",
    )
    db_pool_size: int = Field(default=10, ge=1, le=1000, description="a whole number from 1 to 1000")
    # After database_url: whether it may be missing depends on the database.
    secret_key: SecretStr | None = Field(
        default=None, validate_default=True, description="a random text of at least 32 characters"
    )
    algorithm: Literal["HS256", "HS384", "HS512"] = Field(default="HS256", description="HS256, HS384 or HS512")
    # Ten years, so that no time computed from it leaves the range of a date.
    access_token_expire_minutes: int = Field(
        default=30, ge=1, le=5_256_000, description="a whole number of minutes from 1 to 5256000"
    )
    allowed_origins: Annotated[list[str], NoDecode] = Field(
        default=[
            "http://localhost:3000",
            "http://localhost:8080",
            "http://127.0.0.1:3000",
            "http://localhost:4200",
        ],
        description='a JSON list such as ["https://chat.example.com"], origins separated by commas, or *',
    )
    socket_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, le=1024, description="a whole number from 1 to 1024"
    )
    ws_outbox_max_bytes: int = Field(
        default=1_048_576, ge=65_536, le=1_073_741_824, description="a whole number of bytes from 65536 to 1073741824"
    )
    resume_max_messages: int = Field(default=1_000, ge=0, le=100_000, description="a whole number from 0 to 100000")
    # At most five minutes: who is away is kept in memory.
    presence_grace_seconds: int = Field(default=0, ge=0, le=300, description="a whole number of seconds from 0 to 300")
    socket_max_frames_per_second: int = Field(
        default=10_000, ge=1, le=1_000_000, description="a whole number from 1 to 1000000"
    )
    websocket_compression: bool = Field(default=False, description="true or false")
    session_max_age: int | None = Field(
        default=None, ge=1, le=315_360_000, description="a whole number of seconds from 1 to 315360000"
    )
    # With what else has to end, within the 30 seconds that supervisors give.
    shutdown_spread_seconds: int = Field(default=0, ge=0, le=20, description="a whole number of seconds from 0 to 20")
    max_file_size: int = Field(
        default=52_428_800, ge=1, le=2_147_483_647, description="a whole number of bytes from 1 to 2147483647"
    )
    upload_path: Path | None = Field(default=None, description="the path of a folder")
    public_base_url: str | None = Field(default=None, description="a URL such as https://chat.example.com")
    gcs_bucket_name: str | None = Field(default=None, description="the name of a bucket")
    google_application_credentials: Path | None = Field(default=None, description="the path of a file")
    storage_emulator_host: str | None = Field(default=None, description="a URL such as http://localhost:9023")
    gcs_public_urls: bool = Field(default=True, description="true or false")
    gcs_signed_url_seconds: int = Field(
        default=86_400, ge=60, le=604_800, description="a whole number of seconds from 60 to 604800"
    )
    redis_url: SecretStr | None = Field(
        default=None, description="a URL such as redis://localhost:6379, or rediss:// for TLS"
    )
    port: int = Field(default=8000, ge=0, le=65_535, description="a port number from 0 to 65535")

    @property
    def uses_postgres(self) -> bool:
        """Whether the database is a PostgreSQL server, not an SQLite file."""
        return _scheme(self.database_url) in _POSTGRES_SCHEMES

    @field_validator("database_url", mode="after")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        # Only the kind of database is decided here; the core reads the rest and names what is wrong with it.
        if _scheme(value) not in _POSTGRES_SCHEMES | {"sqlite"}:
            raise PydanticCustomError("database_scheme", "unknown kind of database")
        return value

    @field_validator("secret_key", mode="after")
    @classmethod
    def _key_for_postgres(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        # With an SQLite file a random key is kept beside it; a server has no such place.
        url = info.data.get("database_url")
        if value is None and url is not None and _scheme(url) in _POSTGRES_SCHEMES:
            raise PydanticCustomError("secret_key_missing", "needed with PostgreSQL")
        return value

    @field_validator("redis_url", mode="after")
    @classmethod
    def _known_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and _scheme(value) not in _REDIS_SCHEMES:
            raise PydanticCustomError("redis_scheme", "unknown kind of server")
        return value

    @field_validator("public_base_url", mode="after")
    @classmethod
    def _absolute_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value.strip())
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
            raise PydanticCustomError("base_url", "not the start of URLs")
        return value.strip().rstrip("/")

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return split_list(value)

    @field_validator("allowed_origins", mode="after")
    @classmethod
    def _check_origins(cls, value: list[str]) -> list[str]:
        origins = [origin.strip().removesuffix("/") for origin in value]
        for origin in origins:
            if origin != "*" and not origin.partition("://")[2]:
                raise PydanticCustomError("origin", "an origin is a scheme and a host")
        return origins


def split_list(value: object) -> object:
    """A JSON list, or texts separated by commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as error:
            raise PydanticCustomError("json_list", "not a JSON list") from error
    return [part for part in (part.strip() for part in value.split(",")) if part]


def _scheme(url: SecretStr) -> str:
    """The scheme without a driver name: SQLAlchemy's ``postgresql+psycopg2`` is the same server."""
    return url.get_secret_value().strip().partition("://")[0].partition("+")[0].lower()


def _describe(item: Any, fields: Mapping[str, FieldInfo]) -> str:
    name = str(item["loc"][0])
    field = fields[name]
    found = item.get("input")
    if item["type"] == "secret_key_missing":
        return f"SECRET_KEY: it is not set; expected {field.description}, because DATABASE_URL names PostgreSQL"
    shown = "a value that is not shown here" if name in _SECRET_KEYS else _without_credentials(str(found))
    return f"{name.upper()}: found {shown}; expected {field.description}"


def _without_credentials(text: str) -> str:
    """A URL that was put under the wrong key must not show its password either."""
    try:
        has_credentials = "@" in urlsplit(text).netloc
    except ValueError:
        has_credentials = "@" in text
    return "a URL with credentials" if has_credentials else repr(text)
