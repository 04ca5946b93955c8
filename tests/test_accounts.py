"""Registration, log-in, stored password hashes and the profile: sections 3.1 to 3.3 and 3.6 of the contract."""

import psutil
import pytest
from harness.chat import PASSWORD, Chat, unique

USER_KEYS = ["username", "email", "full_name", "id", "is_active", "created_at", "updated_at"]

# Made with other bcrypt implementations, cost 4, except the first: it is the original's, cost 12.
ORIGINAL_HASH = ("clave-heredada", "$2b$12$dO.tHqluVUkhEsegLnofz.U0CcdrH256qk.DvoQ7d9A59DnIOeTn2")
FOREIGN_HASHES = {
    "2a": (PASSWORD, "$2a$04$xJti8o/l9xf3TYIXF0XHAOIgDqVO/LBDRyp/iTM7JDQEzVYa1EPh."),
    "2b": (PASSWORD, "$2b$04$xJti8o/l9xf3TYIXF0XHAOIgDqVO/LBDRyp/iTM7JDQEzVYa1EPh."),
    "2y": (PASSWORD, "$2y$04$xJti8o/l9xf3TYIXF0XHAOIgDqVO/LBDRyp/iTM7JDQEzVYa1EPh."),
    "original": ORIGINAL_HASH,
}
NOT_BCRYPT = ("", "plain", "$2b$12$short", "pbkdf2_sha256$260000$salt$digest", "$2b$99$" + "a" * 53, "x" * 60)


def registration(**changes: object) -> dict[str, object]:
    """A valid registration with changes."""
    name = unique("reg")
    return {"username": name, "email": f"{name}@example.com", "password": PASSWORD, **changes}


def test_registering_gives_the_user_and_the_token_works(chat: Chat) -> None:
    body = registration(full_name="Ána Ñ 😀")
    answer = chat.post("/api/users/register", json=body)
    assert answer.status_code == 201
    user = answer.json()
    assert list(user) == USER_KEYS
    assert (user["full_name"], user["is_active"], user["updated_at"]) == ("Ána Ñ 😀", True, None)
    assert user["created_at"].endswith("Z")
    assert "😀" in answer.text, "non-ASCII text is written raw"
    assert ": " not in answer.text, "no blanks between tokens"
    token = chat.log_in(str(body["username"])).json()
    assert list(token) == ["access_token", "token_type"]
    assert token["token_type"] == "bearer"
    mine = chat.get("/api/users/me", headers={"Authorization": f"Bearer {token['access_token']}"})
    assert mine.json() == user


def test_email_is_checked_before_username_and_both_are_case_sensitive(chat: Chat) -> None:
    ana = chat.user()
    both = chat.post("/api/users/register", json=registration(username=ana.username, email=ana.email))
    assert (both.status_code, both.json()) == (400, {"detail": "Email already registered"})
    name = chat.post("/api/users/register", json=registration(username=ana.username))
    assert (name.status_code, name.json()) == (400, {"detail": "Username already taken"})
    other_case = chat.post("/api/users/register", json=registration(username=ana.username.upper()))
    assert other_case.status_code == 201


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("{}@EXAMPLE.com", "{}@example.com"),
        (" {}@example.com ", "{}@example.com"),
        ("Ana <{}@example.com>", "{}@example.com"),
        ("{}.Local@example.com", "{}.Local@example.com"),
        ("{}@bücher.example.com", "{}@bücher.example.com"),
    ],
)
def test_emails_are_normalised(chat: Chat, given: str, stored: str) -> None:
    name = unique("mail")
    ana = chat.user()
    answer = chat.put("/api/users/me", ana, json={"email": given.format(name)})
    assert (answer.status_code, answer.json()["email"]) == (200, stored.format(name))


@pytest.mark.parametrize("email", ["", "a", "a@b", "@b.com", "a@b.test", "a@b.invalid", "a@localhost", "a b@c.com", 5])
def test_bad_emails_are_refused(chat: Chat, email: object) -> None:
    answer = chat.post("/api/users/register", json=registration(email=email))
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "email"]


@pytest.mark.parametrize("field", ["username", "password"])
def test_empty_names_and_passwords_are_refused(chat: Chat, field: str) -> None:
    assert chat.post("/api/users/register", json=registration(**{field: ""})).status_code == 422


def test_log_in_is_exact_and_by_username_only(chat: Chat) -> None:
    ana = chat.user()
    for username in (ana.email, ana.username.upper(), f" {ana.username}", f"{ana.username} ", "", "nadie"):
        answer = chat.log_in(username)
        assert (answer.status_code, answer.json()) == (401, {"detail": "Incorrect username or password"}), username
        assert answer.headers["www-authenticate"] == "Bearer"
    assert chat.log_in(ana.username).status_code == 200


@pytest.mark.parametrize("active", [False, None])
def test_inactive_users_are_told_so_only_with_the_right_password(chat: Chat, *, active: bool | None) -> None:
    ana = chat.user(active=active)
    right, wrong = chat.log_in(ana.username), chat.log_in(ana.username, "mala")
    assert (right.status_code, right.json()) == (400, {"detail": "Inactive user"})
    assert (wrong.status_code, wrong.json()) == (401, {"detail": "Incorrect username or password"})
    mine = chat.get("/api/users/me", ana)
    assert (mine.status_code, mine.json()) == (400, {"detail": "Inactive user"})
    assert chat.get(f"/api/users/{ana.id}", chat.user()).json()["is_active"] is False


@pytest.mark.parametrize("kind", FOREIGN_HASHES)
def test_stored_hashes_keep_working_and_are_not_rehashed(chat: Chat, kind: str) -> None:
    password, hashed = FOREIGN_HASHES[kind]
    ana = chat.user(hashed=hashed)
    assert chat.log_in(ana.username, password).status_code == 200
    assert chat.log_in(ana.username, password + "x").status_code == 401
    assert chat.database.value("select hashed_password from users where id = ?", ana.id) == hashed


@pytest.mark.parametrize("hashed", NOT_BCRYPT)
def test_a_stored_value_that_is_no_bcrypt_hash_is_a_401(chat: Chat, hashed: str) -> None:
    assert chat.log_in(chat.user(hashed=hashed).username).status_code == 401


def test_only_the_first_72_bytes_of_a_password_count(chat: Chat) -> None:
    first = "ñ" * 36
    assert len(first.encode()) == 72
    ana = chat.register(password=first + "tail")
    assert chat.log_in(ana.username, first).status_code == 200
    assert chat.log_in(ana.username, first + "other").status_code == 200
    assert chat.log_in(ana.username, first[:-1]).status_code == 401


def test_a_cut_inside_a_character_counts_bytes(chat: Chat) -> None:
    ana = chat.register(password="a" * 71 + "ñ")
    # The first byte of the last character is the 72nd; letters that share it are the same password.
    assert chat.log_in(ana.username, "a" * 71 + "ó").status_code == 200
    assert chat.log_in(ana.username, "a" * 71 + "n").status_code == 401


# The same characters: of one code point each, with combining accents, and of both kinds.
FORMS = ["contrase\u00f1a-caf\u00e9", "contrasen\u0303a-cafe\u0301", "contrase\u00f1a-cafe\u0301"]


@pytest.mark.parametrize("registered", FORMS, ids=["composed", "decomposed", "mixed"])
def test_the_form_in_which_a_password_is_typed_does_not_matter(chat: Chat, registered: str) -> None:
    ana = chat.register(password=registered)
    assert [chat.log_in(ana.username, typed).status_code for typed in FORMS] == [200] * 3
    assert chat.log_in(ana.username, "contrasena-cafe").status_code == 401


# Made with another bcrypt implementation, cost 4, of the first two as they are.
HASHES_OF_FORMS = [
    "$2b$04$xJti8o/l9xf3TYIXF0XHAOgnYnujaIunU05hKi2jc.bRJ0GVcg3ni",
    "$2b$04$xJti8o/l9xf3TYIXF0XHAOJ2E8os0au79tBNFUgpPjGBVPNVdUtkW",
]


@pytest.mark.parametrize("hashed", HASHES_OF_FORMS, ids=["composed", "decomposed"])
def test_hashes_of_what_was_typed_stay_valid(chat: Chat, hashed: str) -> None:
    ana = chat.user(hashed=hashed)
    assert [chat.log_in(ana.username, typed).status_code for typed in FORMS] == [200] * 3


def test_unknown_users_take_as_long_as_wrong_passwords(chat: Chat) -> None:
    ana = chat.user(hashed=ORIGINAL_HASH[1])

    server = psutil.Process(chat.server.process.pid)

    def cpu_seconds(username: str) -> float:
        """What a log-in costs the server; how long it takes depends on what else the machine does."""
        before = server.cpu_times()
        for _ in range(3):
            assert chat.log_in(username, "mala").status_code == 401
        after = server.cpu_times()
        return after.user + after.system - before.user - before.system

    ratio = cpu_seconds(unique("nobody")) / cpu_seconds(ana.username)
    assert 0.5 < ratio < 2, ratio


def test_updating_the_profile(chat: Chat) -> None:
    ana = chat.user(full_name="Ana")
    unchanged = chat.put("/api/users/me", ana, json={"username": ana.username, "email": ana.email})
    assert (unchanged.status_code, unchanged.json()["updated_at"]) == (200, None)
    assert chat.put("/api/users/me", ana, json={}).json()["updated_at"] is None
    ignored = chat.put("/api/users/me", ana, json={"password": "otra", "id": 1, "created_at": None})
    assert (ignored.json()["id"], ignored.json()["updated_at"]) == (ana.id, None)
    cleared = chat.put("/api/users/me", ana, json={"full_name": None}).json()
    assert list(cleared) == USER_KEYS
    assert cleared["full_name"] is None
    assert cleared["updated_at"].endswith("Z")
    assert chat.log_in(ana.username).status_code == 200


@pytest.mark.parametrize("field", ["username", "email", "is_active"])
def test_null_for_a_mandatory_field_is_absent(chat: Chat, field: str) -> None:
    ana = chat.user()
    answer = chat.put("/api/users/me", ana, json={field: None})
    assert answer.status_code == 200
    assert (answer.json()["username"], answer.json()["email"]) == (ana.username, ana.email)
    assert (answer.json()["is_active"], answer.json()["updated_at"]) == (True, None)


def test_values_of_somebody_else_are_refused(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    email = chat.put("/api/users/me", beto, json={"email": ana.email})
    assert (email.status_code, email.json()) == (400, {"detail": "Email already registered"})
    name = chat.put("/api/users/me", beto, json={"username": ana.username})
    assert (name.status_code, name.json()) == (400, {"detail": "Username already taken"})


def test_reading_users(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    assert list(chat.get(f"/api/users/{beto.id}", ana).json()) == USER_KEYS
    assert chat.get(f"/api/users/username/{beto.username}", ana).json()["id"] == beto.id
    missing = (0, -1, 2**31, 2**63, 10**40)
    for path in (*(f"/api/users/{number}" for number in missing), f"/api/users/username/{beto.username.upper()}"):
        answer = chat.get(path, ana)
        assert (answer.status_code, answer.json()) == (404, {"detail": "User not found"}), path


def test_usernames_of_any_characters_are_found(chat: Chat) -> None:
    ana = chat.user(username=unique("á b%c😀"))
    answer = chat.http.get(f"/api/users/username/{ana.username}", headers=ana.headers)
    assert (answer.status_code, answer.json()["id"]) == (200, ana.id)


def test_lists_of_users_are_ordered_by_id_and_paged(chat: Chat) -> None:
    ana, beto, carla = chat.users("ana", "beto", "carla")
    before = chat.database.value("select count(*) from users where id < ?", ana.id)
    page = chat.get("/api/users/", ana, params={"skip": before, "limit": 2}).json()
    assert [user["id"] for user in page] == [ana.id, beto.id]
    assert chat.get("/api/users", ana, params={"skip": before + 2, "limit": 1}).json()[0]["id"] == carla.id


def test_my_rooms_and_files(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    public, private = chat.room(beto), chat.room(ana, private=True)
    chat.join(public, ana)
    rooms = chat.get("/api/users/me/rooms", ana).json()
    assert [room["id"] for room in rooms] == [public, private]
    assert [member["id"] for member in rooms[0]["members"]] == [ana.id, beto.id]
    assert chat.get("/api/users/me/files/", ana).json() == []
