"""The settings of the sibling systems, which an old ``.env`` of theirs may hold too.

Nothing here is needed for the service to start, and variables that mean nothing here any more are named in a warning.
"""

import logging
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from chat_app.core.config import EnvironmentSettings, environment_variables, split_list

logger = logging.getLogger("izpochat.compat")

System = Literal["meetings", "calls", "ws-hub", "webrtc"]

_SYSTEMS: tuple[System, ...] = ("meetings", "calls", "ws-hub", "webrtc")
_SYSTEMS_KEY = "compat_systems"


@dataclass(frozen=True)
class CompatConfig:
    """What the core needs to know about the sibling systems."""

    systems: list[System]
    meetings_secret: str
    ws_hub_secret: str
    webrtc_secret: str
    calls_open: bool
    meetings_open: bool
    meetings_empty_seconds: int
    livekit_url: str | None
    livekit_api_key: str | None
    livekit_api_secret: str | None
    livekit_token_ttl_seconds: int
    origins: list[str]

    @property
    def open_origins(self) -> list[str]:
        """The origins where calls are served too: everybody's in open mode."""
        return [*self.origins, "*"] if self.calls_open else self.origins


class CompatSettings(EnvironmentSettings):
    """The variables as they are set."""

    compat_systems: Annotated[list[System], NoDecode] = Field(
        default=[*_SYSTEMS], description=f"a list of {', '.join(_SYSTEMS)}, separated by commas"
    )
    jwt_secret: SecretStr | None = Field(default=None, description="a random text of at least 32 characters")
    meetings_jwt_secret: SecretStr | None = Field(default=None, description="the secret of the user back end")
    ws_hub_jwt_secret: SecretStr | None = Field(default=None, description="a random text of at least 32 characters")
    webrtc_jwt_secret: SecretStr | None = Field(default=None, description="a random text of at least 32 characters")
    frontend_url: str | None = Field(default=None, description="an origin")
    client_url: str | None = Field(default=None, description="origins separated by commas")
    livekit_url: str | None = Field(default=None, description="the address of the media server, wss://…")
    livekit_api_key: str | None = Field(default=None, description="the name of a key of the media server")
    livekit_api_secret: SecretStr | None = Field(default=None, description="the secret of that key")
    # Not longer than ten years, so that no time computed from it leaves the range of a date.
    livekit_token_ttl_seconds: int = Field(
        default=21_600, ge=1, le=315_360_000, description="a whole number of seconds from 1 to 315360000"
    )
    compat_calls_open: bool = Field(default=False, description="true or false")
    compat_meetings_open: bool = Field(default=False, description="true or false")
    meetings_empty_seconds: int = Field(
        default=300, ge=1, le=31_536_000, description="a whole number of seconds from 1 to 31536000"
    )

    mongodb_uri: SecretStr | None = Field(default=None, description="nothing")
    mongo_uri: SecretStr | None = Field(default=None, description="nothing")
    firebase_project_id: SecretStr | None = Field(default=None, description="nothing")
    firebase_service_account_key: SecretStr | None = Field(default=None, description="nothing")

    @field_validator(_SYSTEMS_KEY, mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split_list(value)

    def resolve(self, secret_key: str, allowed_origins: list[str]) -> CompatConfig:
        """Fill in what falls back on other settings, and warn of what an operator should know.

        Args:
            secret_key: signs where nothing else is set.
            allowed_origins: those of the service, which hold for the sibling systems too.
        """
        shared = _revealed(self.jwt_secret) or secret_key
        # An empty value elsewhere counts as none; here it switches all systems off.
        is_empty = not environment_variables().get(_SYSTEMS_KEY, "all").strip()
        systems = [] if is_empty else list(dict.fromkeys(self.compat_systems))
        config = CompatConfig(
            systems=systems,
            meetings_secret=_revealed(self.meetings_jwt_secret) or shared,
            ws_hub_secret=_revealed(self.ws_hub_jwt_secret) or shared,
            webrtc_secret=_revealed(self.webrtc_jwt_secret) or shared,
            calls_open=self.compat_calls_open,
            meetings_open=self.compat_meetings_open,
            meetings_empty_seconds=self.meetings_empty_seconds,
            livekit_url=self.livekit_url,
            livekit_api_key=self.livekit_api_key,
            livekit_api_secret=_revealed(self.livekit_api_secret),
            livekit_token_ttl_seconds=self.livekit_token_ttl_seconds,
            origins=list(dict.fromkeys([*allowed_origins, *self._own_origins()])),
        )
        self._warn(config)
        return config

    def _own_origins(self) -> list[str]:
        """The origins of both variables; what is none is left out, because it may be meant for another program."""
        origins = []
        for name, value in (("FRONTEND_URL", self.frontend_url), ("CLIENT_URL", self.client_url)):
            for text in (value or "").split(","):
                origin = _origin(text.strip())
                if origin is not None:
                    origins.append(origin)
                elif text.strip():
                    logger.warning("%s holds something that is not an origin; it is ignored", name)
        return origins

    def _warn(self, config: CompatConfig) -> None:
        ignored = ("mongodb_uri", "mongo_uri", "firebase_project_id", "firebase_service_account_key")
        found = [name.upper() for name in ignored if getattr(self, name) is not None]
        if found:
            logger.warning("ignored, because everything is kept in DATABASE_URL: %s", ", ".join(found))
        if self.compat_meetings_open and "meetings" in config.systems:
            logger.warning("COMPAT_MEETINGS_OPEN: whoever reaches this service can take part in meetings as anybody")
        if "calls" in config.systems:
            livekit = (config.livekit_url, config.livekit_api_key, config.livekit_api_secret)
            if any(livekit) and not all(livekit):
                logger.warning(
                    "LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET are only in part set: no media tokens are made"
                )
            if self.compat_calls_open:
                logger.warning(
                    "COMPAT_CALLS_OPEN: whoever reaches this service can list users, end calls and listen in"
                )


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _origin(text: str) -> str | None:
    """Scheme and host of an address, or ``*``."""
    if text == "*":
        return text
    try:
        address = urlsplit(text)
    except ValueError:
        return None
    return f"{address.scheme}://{address.netloc}" if address.scheme and address.netloc else None
