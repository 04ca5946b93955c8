"""Where clients reach the application: the address in front of proxies, with all prefixes.

uvicorn applies what trusted proxies say of the client's address and of the scheme (``--forwarded-allow-ips``). Host,
port and prefix are read here, from the same proxies only. What others send is ignored, and so is what is no host.
"""

import ipaddress
import re
from typing import Any

from fastapi import Request

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~%-]+)*")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def outer_base_url(request: Request) -> str:
    """Scheme, host and path in front of the application's own paths, without a slash at the end."""
    scheme, host = request.url.scheme, request.headers.get("host", "")
    root: str = request.scope.get("root_path", "").rstrip("/")
    prefix = ""
    if _comes_from_trusted_proxy(request):
        forwarded = _forwarded(request)
        scheme = forwarded.get("proto", scheme)
        outer = forwarded.get("host", "") or _nearest(request, "x-forwarded-host")
        port = _nearest(request, "x-forwarded-port")
        if _HOST.fullmatch(outer):
            host = outer
        if port.isdecimal() and port != _DEFAULT_PORTS.get(scheme) and not re.search(r":\d+$", host):
            host = f"{host}:{port}"
        prefix = _nearest(request, "x-forwarded-prefix").rstrip("/")
        if not _PREFIX.fullmatch(prefix) or root.startswith(prefix):
            # Some proxies say it, and the server is told as well.
            prefix = ""
    if not _HOST.fullmatch(host):
        server = request.scope.get("server") or ("localhost", None)
        host = server[0] if server[1] is None else f"{server[0]}:{server[1]}"
    return f"{scheme}://{host}{prefix}{root}"


def _comes_from_trusted_proxy(request: Request) -> bool:
    config: Any = request.app.state.uvicorn_config
    if config is None or not config.proxy_headers:
        return False
    client = request.client
    if client is not None and client.port == 0 and "x-forwarded-for" in request.headers:
        # uvicorn trusted the proxy and put its client here.
        return True
    allowed = config.forwarded_allow_ips
    names = [name.strip() for name in allowed.split(",")] if isinstance(allowed, str) else list(allowed)
    return "*" in names or (client is not None and any(_is_in(client.host, name) for name in names))


def _is_in(host: str, name: str) -> bool:
    """Whether an address is this one, or in this network."""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name)
    except ValueError:
        return host == name


def _nearest(request: Request, name: str) -> str:
    """What the nearest proxy says; those in front of it are behind commas, or not trusted."""
    return request.headers.get(name, "").rpartition(",")[2].strip()


def _forwarded(request: Request) -> dict[str, str]:
    """The element of ``Forwarded`` (RFC 7239) that the nearest proxy has added."""
    pairs = (pair.partition("=") for pair in _nearest(request, "forwarded").split(";"))
    found = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    if found.get("proto") not in {None, "http", "https"}:
        del found["proto"]
    return found
