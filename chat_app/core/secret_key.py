"""The key that signs tokens when none is configured, and warnings about weak ones.

With SQLite a random key is kept in ``secret_key`` beside the database file, readable by its owner only, so that tokens
survive a restart. It is created in one step: of two processes starting at once both use the same key.
"""

import logging
import os
import secrets
import tempfile
from pathlib import Path

from chat_app.core.config import ConfigurationError, Settings

logger = logging.getLogger("izpochat.config")

_MIN_KEY_BYTES = 32
# Beginnings of the values that README files and samples show, compared in lower case without separators.
_SAMPLE_PREFIXES = (
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "mysecretkey",
    "mysupersecret",
    "yoursecret",
    "yoursupersecret",
    "yourverysecret",
    "yourjwtsecret",
    "tuclave",
    "tusecretkey",
    "clavesecreta",
    # The two of the original's README begin with "tu_secret_key" and with this.
    "clavesupersegura",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
)


def resolve_secret_key(settings: Settings) -> str:
    """The configured key, or the one kept beside the SQLite file.

    Raises:
        ConfigurationError: the key file can neither be read nor created.
    """
    if settings.secret_key is not None:
        key = settings.secret_key.get_secret_value()
        _warn_if_weak(key)
        return key
    path = _key_path(settings.database_url.get_secret_value())
    try:
        if not path.exists():
            _create(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"SECRET_KEY: it is not set, and {path} cannot be used ({error})"]) from None
    if len(key.encode()) < _MIN_KEY_BYTES:
        raise ConfigurationError(
            [f"SECRET_KEY: it is not set, and {path} holds no usable key; delete that file to get a new one"]
        )
    logger.warning("SECRET_KEY is not set: tokens are signed with the random key in %s", path)
    return key


def _key_path(database_url: str) -> Path:
    # "sqlite:///relative" or "sqlite:////absolute", with nothing decoded, as the core reads it.
    location = database_url.strip().partition("://")[2].partition("?")[0]
    return Path(location.removeprefix("/")).parent / "secret_key"


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp creates with mode 0600, and link() gives the complete file its name or fails if somebody was faster.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".secret_key.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()


def _warn_if_weak(key: str) -> None:
    plain = "".join(character for character in key.lower() if character.isalnum())
    if plain.startswith(_SAMPLE_PREFIXES):
        logger.warning(
            "SECRET_KEY IS THE SAMPLE OF A DOCUMENTATION: anybody can sign tokens for any user. "
            "Set a random one, for example the output of: openssl rand -hex 32"
        )
    elif len(key.encode()) < _MIN_KEY_BYTES:
        logger.warning(
            "SECRET_KEY IS SHORT (under %d bytes): it can be guessed. "
            "Set a random one, for example the output of: openssl rand -hex 32",
            _MIN_KEY_BYTES,
        )
