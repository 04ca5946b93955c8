"""Small pictures of uploaded images, and pictures that are too large."""

from typing import Any

import httpx
import pytest
from harness.chat import Chat, User
from harness.forms import png, webp_size
from harness.stores import Store


def upload(chat: Chat, user: User, content: bytes) -> Any:
    answer = chat.post("/api/uploads/", user, files={"file": ("foto.png", content, "image/png")})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize(("size", "small"), [((1200, 300), (512, 128)), ((40, 30), (40, 30))])
def test_an_image_gets_a_thumbnail(chat: Chat, size: tuple[int, int], small: tuple[int, int]) -> None:
    ana = chat.user()
    room = chat.room(ana)
    socket = chat.connect(room, ana)
    file = upload(chat, ana, png(*size))
    assert list(file)[-1] == "thumbnail_url"
    assert file["thumbnail_url"] == file["public_url"].removesuffix(".png") + ".png.thumbnail.webp"
    answer = httpx.get(file["thumbnail_url"], trust_env=False)
    assert answer.headers["content-type"] == "image/webp"
    assert webp_size(answer.content) == small
    assert chat.get(f"/api/uploads/{file['id']}", ana).json() == file
    chat.say(room, ana, "", file_id=file["id"])
    assert socket.expect("message")["file"]["thumbnail_url"] == file["thumbnail_url"]
    assert chat.history(room, ana)[0]["file"] == file


def test_a_damaged_picture_has_no_thumbnail(chat: Chat) -> None:
    whole = png(600, 600)
    file = upload(chat, chat.user(), whole[: len(whole) // 3])
    assert "thumbnail_url" not in file


def test_pictures_beyond_all_bounds_are_refused_before_they_are_decoded(chat: Chat, store: Store) -> None:
    before = store.names()
    bomb = png(60_000, 60_000, rows=[b"\0" * 1000])
    answer = chat.post("/api/uploads/", chat.user(), files={"file": ("bomba.png", bomb, "image/png")})
    assert (answer.status_code, answer.json()) == (400, {"detail": "Imagen con demasiados píxeles"})
    assert store.names() == before


def test_deleting_a_picture_deletes_its_thumbnail(chat: Chat, store: Store) -> None:
    ana = chat.user()
    before = store.names()
    file = upload(chat, ana, png(20, 20))
    assert len(store.names()) == len(before) + 2
    assert chat.call("DELETE", f"/api/uploads/{file['id']}", ana).status_code == 200
    assert store.names() == before
    assert httpx.get(file["thumbnail_url"], trust_env=False).status_code == 404
