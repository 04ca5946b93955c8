"""Hand-made JSON Web Tokens (RFC 7519, HMAC only), independent of the library the service uses."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(
    claims: Mapping[str, object],
    key: str,
    algorithm: str = "HS256",
    header: Mapping[str, object] | None = None,
) -> str:
    """Make a token; an unknown algorithm such as ``none`` gets an empty signature."""
    shown = {"alg": algorithm, "typ": "JWT"} if header is None else header
    signed = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (shown, claims))
    digest = DIGESTS.get(algorithm)
    signature = b"" if digest is None else hmac.new(key.encode(), signed.encode(), digest).digest()
    return f"{signed}.{_encode(signature)}"


def sign_for(username: str, key: str, lifetime_seconds: int = 3600) -> str:
    """A token as the original service issues it: the two claims ``sub`` and ``exp`` and nothing else."""
    return sign({"sub": username, "exp": int(time.time()) + lifetime_seconds}, key)


def read_claims(token: str) -> dict[str, object]:
    """The claims of a token, unverified."""
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert isinstance(claims, dict)
    return claims


def read_header(token: str) -> dict[str, object]:
    """The header of a token, unverified."""
    head = token.split(".", maxsplit=1)[0]
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    assert isinstance(header, dict)
    return header
