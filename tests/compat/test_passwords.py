"""The form of Unicode in which a password is typed does not matter, in each system with accounts of its own."""

import pytest
from harness.chat import Chat, unique
from harness.siblings import Sibling

COMPOSED, DECOMPOSED = "contrase\u00f1a-caf\u00e9", "contrasen\u0303a-cafe\u0301"
SIGN_UP = {"ws-hub": "/api/auth/register", "webrtc": "/api/auth/signup"}


@pytest.mark.parametrize("system", SIGN_UP)
@pytest.mark.parametrize("registered", [COMPOSED, DECOMPOSED], ids=["composed", "decomposed"])
def test_the_form_in_which_a_password_is_typed_does_not_matter(chat: Chat, system: str, registered: str) -> None:
    sibling = Sibling(chat, system)
    name = unique("ana")
    account = {"username": name, "email": f"{name}@x.io", "password": registered}
    assert sibling.post(SIGN_UP[system], json=account).status_code == 201
    for typed, status in ((COMPOSED, 200), (DECOMPOSED, 200), ("contrasena-cafe", 401)):
        answer = sibling.post("/api/auth/login", json={"email": account["email"], "password": typed})
        assert answer.status_code == status, answer.text
