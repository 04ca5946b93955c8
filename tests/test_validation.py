"""What bad input gets: numbers, paging, the 422 table, order of checks (sections 2.4 to 2.7 of the contract)."""

import json

import httpx
import pytest
from harness.chat import Chat, unique

INTEGER_TEXT = "Input should be a valid integer, unable to parse string as an integer"
SECRET = "un-secreto-que-nadie-debe-ver"


def problems(answer: httpx.Response) -> list[dict[str, object]]:
    """The list of a 422."""
    assert answer.status_code == 422, answer.text
    detail = answer.json()["detail"]
    assert isinstance(detail, list)
    return detail


@pytest.mark.parametrize("form", ["{}", "+{}", "%20{}%20", "{}.0", "{}.000", "0{}", "%2B{}", "%09{}"])
def test_accepted_numbers(chat: Chat, form: str) -> None:
    ana = chat.user()
    answer = chat.get(f"/api/users/{form.format(ana.id)}", ana)
    assert (answer.status_code, answer.json().get("id")) == (200, ana.id), answer.text


@pytest.mark.parametrize("text", ["abc", "NaN", "1.5", "1e3", "%20", "--1", "0x1", "inf", "true", "1%00", "1,0"])
def test_refused_numbers(chat: Chat, text: str) -> None:
    ana = chat.user()
    for path, name in ((f"/api/users/{text}", "user_id"), (f"/api/rooms/{text}/members", "room_id")):
        found = problems(chat.get(path, ana))
        assert (found[0]["loc"], found[0]["msg"]) == (["path", name], INTEGER_TEXT), path
        assert found[0]["type"] == "int_parsing"
        assert "input" in found[0]


@pytest.mark.parametrize(
    "path", ["/api/users/", "/api/rooms/", "/api/users/me/files", "/api/uploads/", "/api/rooms/{room}/messages"]
)
def test_paging(chat: Chat, path: str) -> None:
    ana = chat.user()
    path = path.format(room=chat.room(ana))
    for name in ("skip", "limit"):
        negative = problems(chat.get(path, ana, params={name: -1}))[0]
        assert (negative["type"], negative["loc"]) == ("greater_than_equal", ["query", name])
        assert negative["msg"] == "Input should be greater than or equal to 0"
        for huge in (2**31, 2**63 - 1, 2**63, 10**40):
            assert chat.get(path, ana, params={name: huge}).status_code in {200, 422}, huge
        for text in ("", "x", "1.5", "1e3"):
            assert problems(chat.get(path, ana, params={name: text}))[0]["type"] == "int_parsing"
    both = problems(chat.get(path, ana, params={"skip": "a", "limit": "b"}))
    assert [problem["loc"] for problem in both] == [["query", "skip"], ["query", "limit"]]
    for query in ("limit=5&limit=0", "limit=%200%20", "limit=0.0", "limit=0&unknown=1"):
        body = chat.get(f"{path}?{query}", ana).json()
        assert (body["files"] if isinstance(body, dict) else body) == [], query


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {},
            [("missing", ["body", "username"], "Field required"), ("missing", ["body", "password"], "Field required")],
        ),
        (
            {"username": 5, "password": None},
            [
                ("string_type", ["body", "username"], "Input should be a valid string"),
                ("string_type", ["body", "password"], "Input should be a valid string"),
            ],
        ),
        (None, [("missing", ["body"], "Field required")]),
        ([], [("model_attributes_type", ["body"], None)]),
        ("text", [("model_attributes_type", ["body"], None)]),
        (5, [("model_attributes_type", ["body"], None)]),
    ],
)
def test_bodies_of_a_log_in(chat: Chat, body: object, expected: list[tuple[str, list[object], str | None]]) -> None:
    found = problems(chat.post("/api/users/login", content=json.dumps(body)))
    assert [(one["type"], one["loc"]) for one in found] == [(kind, place) for kind, place, _ in expected]
    for one, (_, _, message) in zip(found, expected, strict=True):
        assert message in {None, one["msg"]}
        assert list(one)[:4] == ["type", "loc", "msg", "input"]
    if expected[0][0] == "model_attributes_type":
        assert found[0]["msg"] == "Input should be a valid dictionary or object to extract fields from"


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        *((value, True) for value in (True, 1, "1", "true", "TRUE", "yes", "On", "t", "Y", 1.0)),
        *((value, False) for value in (False, 0, "0", "false", "No", "OFF", "f", "n")),
        *((value, "bool_parsing") for value in (2, "maybe", "", "null", -1)),
        *((value, "bool_type") for value in ([], {}, 1.5)),
    ],
)
def test_booleans(chat: Chat, *, value: object, outcome: bool | str) -> None:
    ana = chat.user()
    answer = chat.post("/api/rooms/", ana, json={"name": "x", "is_private": value})
    if isinstance(outcome, bool):
        assert (answer.status_code, answer.json()["is_private"]) == (201, outcome)
        return
    found = problems(answer)[0]
    assert found["loc"] == ["body", "is_private"]
    assert str(found["type"]).startswith("bool_")


@pytest.mark.parametrize("value", [1.5, "abc", [], {}, "1.5", ""])
def test_integers_in_bodies(chat: Chat, value: object) -> None:
    ana = chat.user()
    path = f"/api/rooms/{chat.room(ana)}/messages"
    assert problems(chat.post(path, ana, json={"content": "x", "file_id": value}))[0]["loc"] == ["body", "file_id"]


def test_integral_floats_and_numeric_strings_are_integers(chat: Chat) -> None:
    ana = chat.user()
    path = f"/api/rooms/{chat.room(ana)}/messages"
    for value in (7e8, "700000000", 700_000_000.0):
        answer = chat.post(path, ana, json={"content": "x", "file_id": value})
        assert answer.json() == {"detail": "Archivo no encontrado"}, value


def test_the_content_type_of_a_json_body(chat: Chat) -> None:
    ana = chat.user()
    body = json.dumps({"name": "x"})
    for kind in (None, "application/json", "application/json; charset=utf-8", "application/vnd.api+json"):
        headers = {} if kind is None else {"Content-Type": kind}
        assert chat.post("/api/rooms/", ana, content=body, headers=headers).status_code == 201, kind
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        found = problems(chat.post("/api/rooms/", ana, content=body, headers={"Content-Type": kind}))
        assert found[0]["type"] == "model_attributes_type", kind


@pytest.mark.parametrize("body", [b"{", b'{"name": "x"', b"{'a': 1}", b"nope", b'{"name": "x"} extra', b"\xff\xfe{}"])
def test_malformed_json_comes_before_authentication(chat: Chat, body: bytes) -> None:
    for user in (None, chat.user()):
        answer = chat.post("/api/rooms/", user, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}
        if answer.status_code == 422:
            found = problems(answer)[0]
            assert (found["type"], found["msg"]) == ("json_invalid", "JSON decode error")
            assert isinstance(found["loc"], list)
            assert found["loc"][0] == "body"


def test_authentication_comes_before_validation_and_validation_before_rules(chat: Chat) -> None:
    ana = chat.user()
    assert chat.post("/api/rooms/", json={}).status_code == 403
    assert chat.post("/api/rooms/", json={}, headers={"Authorization": "Bearer x"}).status_code == 401
    assert chat.post("/api/rooms/", ana, json={}).status_code == 422
    assert chat.post("/api/rooms/999999999/messages", ana, json={}).status_code == 422
    assert chat.get("/api/rooms/abc").status_code == 403
    found = problems(chat.put("/api/rooms/abc", ana, json={"name": 5}))
    assert [problem["loc"] for problem in found] == [["path", "room_id"], ["body", "name"]]


@pytest.mark.parametrize(
    "body",
    [
        {"password": SECRET},
        {"username": 5, "email": "nope", "password": SECRET},
        {"username": "x", "email": {"password": SECRET}, "password": [SECRET]},
        {"username": "x", "email": "a@b.com", "password": SECRET * 200},
        {"username": "x", "email": "a@b.com", "password": {"deep": SECRET}},
        [{"password": SECRET}],
        {"username": "x", "email": "a@b.com", "password": SECRET + "\x00"},
        {"username": "x", "email": "a@b.com", "password": SECRET + "\ud800"},
    ],
    ids=lambda body: json.dumps(body)[:40],
)
def test_passwords_are_never_echoed(chat: Chat, body: object) -> None:
    for path in ("/api/users/register", "/api/users/login"):
        answer = chat.post(path, content=json.dumps(body))
        assert answer.status_code in {401, 422}, answer.text
        assert SECRET not in answer.text


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "a\udfffb", "\udc00\ud800"])
def test_nul_and_lone_surrogates_are_a_422_in_every_body(chat: Chat, text: str) -> None:
    ana = chat.user()
    room = chat.room(ana)
    registration = {"username": unique("nul"), "email": "a@b.com", "password": "x", "full_name": "y"}
    bodies = [
        ("POST", "/api/rooms/", {"name": text}),
        ("POST", "/api/rooms/", {"name": "x", "description": text}),
        ("PUT", f"/api/rooms/{room}", {"description": text}),
        ("POST", f"/api/rooms/{room}/messages", {"content": text}),
        ("POST", f"/api/rooms/{room}/members", {"username": text}),
        ("PUT", "/api/users/me", {"full_name": text}),
        ("PUT", "/api/users/me", {"username": text}),
        ("POST", "/api/users/login", {"username": text, "password": "x"}),
        *(("POST", "/api/users/register", {**registration, name: text}) for name in registration),
    ]
    for method, path, body in bodies:
        content = json.dumps(body)
        answer = chat.call(method, path, ana, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, (path, body, answer.text)
        assert isinstance(answer.json()["detail"], list)


def test_nul_and_broken_utf8_in_paths_and_queries(chat: Chat) -> None:
    ana = chat.user()
    for path in (
        "/api/users/username/a%00b",
        "/api/users/?skip=%00",
        "/api/users/username/%ff%fe",
        "/api/users/username/%ED%A0%80",
        "/api/rooms/%00",
        "/api/ws/rooms/1/online?token=%00",
        "/api/%00",
    ):
        answer = chat.get(path, ana)
        assert answer.status_code in {401, 404, 422}, (path, answer.status_code, answer.text)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/users/register", {"username": "x" * 256, "email": "a@b.com", "password": "x"}),
        ("POST", "/api/users/register", {"username": "x", "email": "a@b.com", "password": "x" * 4097}),
        ("PUT", "/api/users/me", {"full_name": "x" * 256}),
        ("POST", "/api/rooms/", {"name": "x" * 256}),
        ("POST", "/api/rooms/", {"name": "x", "description": "x" * 10_001}),
    ],
)
def test_texts_over_their_limits(chat: Chat, method: str, path: str, body: object) -> None:
    assert problems(chat.call(method, path, chat.user(), json=body))[0]["type"] == "string_too_long"


def test_a_body_over_the_limit_is_refused(chat: Chat) -> None:
    body = json.dumps({"name": "x" * (5 << 20)})
    answer = chat.post("/api/rooms/", chat.user(), content=body)
    assert answer.status_code == 413
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("body", ["[" * 100_000, '{"name":' * 50_000, '{"name": 1' + "0" * 5000 + "}", '{"name": NaN}'])
def test_hostile_json_is_no_server_error(chat: Chat, body: str) -> None:
    assert chat.post("/api/rooms/", chat.user(), content=body).status_code in {400, 422}
