"""What a client of each system does from the first day on: sign up, join, talk, call, leave, come back.

Each flow is a coroutine that checks every step of its own and knows nothing of the others.
"""

from dataclasses import dataclass
from typing import Any

import httpx

from harness.chat import Chat


@dataclass(frozen=True)
class Place:
    """A server, and the transports by which clients of Socket.IO come to it.

    Where several processes serve one database, the second person comes to ``other``.
    """

    chat: Chat
    http: httpx.AsyncClient
    transports: tuple[str, ...]
    other: Chat | None = None

    @property
    def there(self) -> Chat:
        """Where the second person is."""
        return self.chat if self.other is None else self.other

    async def ask(self, method: str, path: str, token: str | None = None, status: int = 200, **options: Any) -> Any:
        """The JSON of an answer, which must have this status."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = await self.http.request(method, path, headers=headers, **options)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        return answer.json()

    def check_transport(self, transport: str) -> None:
        """Check that a client speaks over the last of the transports it may use."""
        assert transport == self.transports[-1]
