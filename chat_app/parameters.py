"""What an endpoint asks for, and how it is read from a request.

The framework describes the API from the same signatures and could read them too, but it looks at every parameter anew
for each request, which was three fifths of what sending a message cost in the application. Here a signature is looked
at once, and path, query, headers and body are the fields of one model.
"""

import inspect
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Any, get_args
from urllib.parse import parse_qsl

from fastapi import params
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError, create_model
from starlette.requests import Request

from chat_app._native import Caller
from chat_app.json_body import NoBody, read_json

_PLACES = ("path", "query", "header", "body")
_BODY = "body"


class Parameters:
    """The parameters of one endpoint.

    They are dependencies (asynchronous functions of the request), the request itself, one model that is the JSON body,
    and single values of path, query and headers.

    Args:
        endpoint: its annotations are resolved.
        path_names: what its path names.
    """

    def __init__(self, endpoint: Callable[..., Any], path_names: Container[str]) -> None:
        self._dependencies: list[tuple[str, Callable[[Request], Awaitable[Any]]]] = []
        self._request_name: str | None = None
        self._places: dict[str, str] = {}
        fields: list[tuple[str, str, Any]] = []
        for name, parameter in inspect.signature(endpoint).parameters.items():
            annotation, default = parameter.annotation, parameter.default
            if annotation is Request:
                self._request_name = name
            elif (dependency := _dependency(annotation)) is not None:
                self._dependencies.append((name, dependency))
            else:
                place, alias = _place(name, annotation, path_names)
                self._places[alias] = place
                field = Field(... if default is inspect.Parameter.empty else default, alias=alias)
                fields.append((place, name, (annotation, field)))
        # Errors are reported in this order.
        fields.sort(key=lambda field: _PLACES.index(field[0]))
        self._model = create_model("Parameters", **{name: field for _, name, field in fields})
        self._in_query = self._at("query")
        self._in_headers = self._at("header")
        self._has_body = _BODY in self._places

    async def read(self, request: Request) -> dict[str, Any]:
        """The arguments for the endpoint.

        Malformed JSON is reported before anything else is looked at, also to callers without a token; parameters that
        are not valid, only to a caller who exists. Of a query that names a parameter more than once, the last value
        counts, of headers the first.

        Raises:
            RequestValidationError: the body is no JSON, or parameters are not valid.
            HTTPException: the body is too large.
            ApiError: what a dependency raises, or the client has gone.
            ChatError: what a dependency raises, or what is wrong with the caller.
        """
        given: dict[str, Any] = dict(request.path_params)
        if self._has_body and (body := await read_json(request)) is not NoBody:
            given[_BODY] = body
        arguments: dict[str, Any] = {}
        for name, dependency in self._dependencies:
            arguments[name] = await dependency(request)
        if self._request_name is not None:
            arguments[self._request_name] = request
        if not self._places:
            return arguments
        if self._in_query:
            # The last value of each name, as in query_params, whose get raises and catches for every absent name.
            query = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
            _pick(given, self._in_query, query)
        if self._in_headers:
            _pick(given, self._in_headers, request.headers)
        try:
            # From attributes, as the framework does: clients know the texts of its errors.
            arguments |= vars(self._model.model_validate(given, from_attributes=True))
        except ValidationError as invalid:
            for argument in arguments.values():
                if isinstance(argument, Caller):
                    await argument.authenticate()
            raise RequestValidationError(
                [self._located(error) for error in invalid.errors(include_url=False)]
            ) from None
        return arguments

    def _at(self, wanted: str) -> tuple[str, ...]:
        return tuple(alias for alias, place in self._places.items() if place == wanted)

    def _located(self, error: Any) -> dict[str, Any]:
        """The error as the framework reports it: it says where the value stood."""
        alias, *rest = error["loc"]
        place = self._places[alias]
        if error["type"] == "missing" and not rest:
            error["input"] = None
        return {**error, "loc": (alias, *rest) if place == "body" else (place, alias, *rest)}


def _dependency(annotation: Any) -> Callable[[Request], Awaitable[Any]] | None:
    return next((mark.dependency for mark in get_args(annotation) if isinstance(mark, params.Depends)), None)


def _place(name: str, annotation: Any, path_names: Container[str]) -> tuple[str, str]:
    """Where a parameter stands, and under which name."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "body", _BODY
    if name in path_names:
        return "path", name
    if any(isinstance(mark, params.Header) for mark in get_args(annotation)):
        return "header", name.replace("_", "-")
    return "query", name


def _pick(given: dict[str, Any], names: tuple[str, ...], values: Mapping[str, str]) -> None:
    for name in names:
        value = values.get(name)
        if value is not None:
            given[name] = value
