"""Each system behind Socket.IO, in the namespace of its own and in the one they share."""

import pytest
from harness.chat import Chat
from harness.faces import Face
from harness.siblings import Sibling, external_token


@pytest.fixture(params=["meetings", "calls", "webrtc"])
def system(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture(params=["own", "root"])
def face(request: pytest.FixtureRequest, chat: Chat, system: str) -> Face:
    sibling = Sibling(chat, system)
    if system == "meetings":
        token = external_token(userId="somebody")
    else:
        token = chat.user().token if system == "calls" else sibling.account().token
    return Face(sibling, sibling.mount if request.param == "own" else "/", token)
