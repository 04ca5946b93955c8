"""The table of errors is complete: every code the core can raise has a status and a text."""

import chat_app.errors
from chat_app import _native


def test_every_code_of_the_core_is_in_the_table() -> None:
    assert set(chat_app.errors.ERRORS) == set(_native.ERROR_CODES)


def test_codes_are_unique_and_snake_case() -> None:
    assert len(set(_native.ERROR_CODES)) == len(_native.ERROR_CODES)
    for code in _native.ERROR_CODES:
        assert code.replace("_", "").isalpha()
        assert code == code.lower()


def test_statuses_are_those_of_the_contract() -> None:
    for code, answer in chat_app.errors.ERRORS.items():
        assert answer.status in {400, 401, 403, 404, 408, 413, 422, 500, 501, 503}, code
        assert answer.detail
        assert ("WWW-Authenticate" in answer.headers) == (answer.status == 401), code
        assert ("Retry-After" in answer.headers) == (answer.status == 503), code
