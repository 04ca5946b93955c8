"""nginx and haproxy, configured as docs/PROXIES.md says, in front of a server under test."""

import os
import re
import shutil
from pathlib import Path

import pytest

from harness.certificates import Certificate
from harness.chat import Chat
from harness.pool import ServerPool
from harness.processes import free_port

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "PROXIES.md"
# Where Debian puts servers, which is not on everybody's path.
SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
NGINX = """
daemon off;
master_process off;
{user}
pid nginx.pid;
error_log stderr crit;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{site}
}}
"""


def documented(language: str) -> list[str]:
    """The blocks of the document in this language: a whole configuration, then the one for a prefix."""
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


def replace(text: str, **changes: str) -> str:
    """Replace what must occur."""
    for old, new in changes.items():
        assert old in text, f"{old} is not in the configuration of {DOCUMENT.name}"
        text = text.replace(old, new)
    return text


class Proxies:
    """Starts proxies; the pool ends them with the test.

    Args:
        servers: starts and ends processes.
        certificate: what clients are shown.
    """

    def __init__(self, servers: ServerPool, certificate: Certificate) -> None:
        self._servers = servers
        self._certificate = certificate

    def start(
        self, program: str, behind: Chat, *, upstream: str | None = None, prefix: str = "", **changes: str
    ) -> Chat:
        """Start ``nginx`` or ``haproxy`` and give the service as it is seen through it.

        Args:
            program: which proxy.
            behind: the server.
            upstream: its address in the words of the proxy, if it has no port.
            prefix: what the clients' paths begin with.
            changes: replacements in the documented configuration.
        """
        found = shutil.which(program, path=SEARCH)
        if found is None:
            reason = f"{program} is not installed: apt-get install nginx-light haproxy"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        folder = self._servers.new_folder()
        port = free_port()
        if upstream is None:
            assert behind.server.address is not None
            upstream = f"127.0.0.1:{behind.server.address[1]}"
        text = replace(documented(program)[0], **changes)
        text = replace(text, **{"127.0.0.1:8000": upstream, "443": f"127.0.0.1:{port}"})
        write = self._write_nginx if program == "nginx" else self._write_haproxy
        command = [found, *write(folder, text)]
        chat = self._servers.prepare(
            database=behind.database, command=command, address=("127.0.0.1", port), prefix=prefix
        )
        chat.server.context = self._certificate.client_context()
        chat.server.start()
        return chat

    def _write_nginx(self, folder: Path, text: str) -> list[str]:
        files = {"certificate.pem": self._certificate.certificate, "key.pem": self._certificate.key}
        site = replace(text, **{f"/etc/ssl/chat/{name}": str(path) for name, path in files.items()})
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX.format(user=user, site=site))
        return ["-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]

    def _write_haproxy(self, folder: Path, text: str) -> list[str]:
        both = folder / "both.pem"
        both.write_bytes(self._certificate.certificate.read_bytes() + self._certificate.key.read_bytes())
        text = replace(text, **{"/etc/ssl/chat/both.pem": str(both), "bind :": "bind "})
        (folder / "haproxy.cfg").write_text(text)
        return ["-db", "-f", str(folder / "haproxy.cfg")]
