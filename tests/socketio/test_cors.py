"""Origins on ``/socket.io/``."""

import pytest
from harness.chat import ALLOWED_ORIGINS
from harness.engine import Engine, scenario

QUERY = "EIO=4&transport=polling"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-one, content-type"}


@pytest.mark.parametrize("query", [QUERY, "EIO=4"])
@scenario
async def test_a_listed_origin_is_named_on_every_answer(socket_io: Engine, query: str) -> None:
    async with socket_io.client() as client:
        answer = await client.get(socket_io.url(query), headers={"Origin": ALLOWED_ORIGINS[0]})
        assert answer.headers["access-control-allow-origin"] == ALLOWED_ORIGINS[0]
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["vary"] == "Origin"


@scenario
async def test_another_origin_is_answered_without_a_word_about_it(socket_io: Engine) -> None:
    async with socket_io.client() as client:
        origin = {"Origin": "https://elsewhere.example"}
        answer = await client.get(socket_io.url(QUERY), headers=origin)
        assert answer.status_code == 200
        preflight = await client.options(socket_io.url(QUERY), headers={**origin, **PREFLIGHT})
        assert preflight.status_code == 204
        for headers in (answer.headers, preflight.headers):
            assert not [name for name in headers if name.startswith("access-control")]


@scenario
async def test_a_preflight_of_a_listed_origin(socket_io: Engine) -> None:
    async with socket_io.client() as client:
        headers = {"Origin": ALLOWED_ORIGINS[1], **PREFLIGHT}
        answer = await client.options(socket_io.url(QUERY), headers=headers)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == ALLOWED_ORIGINS[1]
        assert answer.headers["access-control-allow-headers"] == PREFLIGHT["Access-Control-Request-Headers"]
        assert answer.headers["access-control-allow-methods"] == "GET, POST, PUT, DELETE, OPTIONS"
