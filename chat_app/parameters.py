"""Parameters of a path and its query that one model reads.

The framework can do that too (``Query()`` of a model), but looks at every field of the model anew for each request: two
fifths of what a history cost in the application.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

Model = TypeVar("Model", bound=BaseModel)


def reads(model: type[Model]) -> Callable[[Request], Coroutine[Any, Any, Model]]:
    """A dependency that gives the parameters of the request as the model.

    Of a query that names a parameter more than once, the last value counts. Errors say where a value stood, as those of
    the framework do.
    """

    # Asynchronous, because the framework would run a plain function in a thread.
    async def read(request: Request) -> Model:
        path = request.path_params
        try:
            return model.model_validate({**request.query_params, **path})
        except ValidationError as invalid:
            raise RequestValidationError(
                [
                    {**error, "loc": ("path" if error["loc"][0] in path else "query", *error["loc"])}
                    for error in invalid.errors(include_url=False)
                ]
            ) from None

    return read


def documents(model: type[BaseModel], *in_path: str) -> dict[str, Any]:
    """What the description of a route says of such parameters, for ``openapi_extra``."""
    schema = model.model_json_schema()
    required = schema.get("required", ())
    return {
        "parameters": [
            {"name": name, "in": "path" if name in in_path else "query", "required": name in required, "schema": field}
            for name, field in schema["properties"].items()
        ],
        "responses": {
            "422": {
                "description": "Validation Error",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}},
            }
        },
    }
