"""Files: the records of uploads and the list of allowed types.

No object store is configured here, so nothing can be stored or deleted; those routes say so.
"""

import json
from typing import Any, NoReturn

from fastapi import APIRouter

from chat_app import schemas
from chat_app.dependencies import Caller, error_responses
from chat_app.errors import NO_BUCKET, ApiError
from chat_app.json_route import JsonBytes, JsonRoute

_DOCUMENTS = (
    "application/pdf",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.ms-excel",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "text/plain",
    "text/csv",
)
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/svg+xml")
_AUDIO = ("audio/mpeg", "audio/wav", "audio/ogg")
_VIDEO = ("video/mp4", "video/avi", "video/quicktime", "video/x-msvideo")
_ARCHIVES = ("application/zip", "application/x-rar-compressed", "application/x-7z-compressed")

_ALLOWED_TYPES = schemas.AllowedTypes(
    allowed_types=[*_DOCUMENTS, *_IMAGES, *_AUDIO, *_VIDEO, *_ARCHIVES],
    max_file_size_mb=50,
    # Clients know the archives as documents.
    categories=schemas.FileCategories(
        documents=[*_DOCUMENTS, *_ARCHIVES], images=[*_IMAGES], audio=[*_AUDIO], video=[*_VIDEO]
    ),
)


def _multipart(field: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The form of an upload, for the documentation: the body is not read before the caller is known."""
    form = {"type": "object", "required": [field], "properties": {field: schema}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


_FILE: dict[str, Any] = {"type": "string", "format": "binary"}

router = APIRouter(prefix="/api/uploads", tags=["uploads"], route_class=JsonRoute)


@router.post(
    "",
    status_code=201,
    response_model=schemas.FileUpload,
    responses=error_responses(404),
    openapi_extra=_multipart("file", _FILE),
)
async def upload_file(caller: Caller) -> NoReturn:
    """Store a file."""
    await caller.authenticate()
    raise ApiError(NO_BUCKET)


@router.post(
    "/multiple",
    response_model=schemas.UploadReport,
    responses=error_responses(404),
    openapi_extra=_multipart("files", {"type": "array", "items": _FILE, "maxItems": 10}),
)
async def upload_files(caller: Caller) -> NoReturn:
    """Store up to ten files."""
    await caller.authenticate()
    raise ApiError(NO_BUCKET)


@router.get("", response_model=schemas.FilePage, responses=error_responses())
async def list_files(caller: Caller, skip: schemas.Skip = 0, limit: schemas.Limit = 50) -> JsonBytes:
    """One's own files, newest first."""
    files = await caller.list_files_of_user(skip=skip, limit=limit)
    total = len(json.loads(files))
    return JsonBytes(b'{"files":%b,"total":%d,"skip":%d,"limit":%d}' % (files, total, skip, limit))


@router.get("/types/allowed", responses=error_responses(authenticated=False))
async def list_allowed_types() -> schemas.AllowedTypes:
    """What may be uploaded; no token is needed."""
    return _ALLOWED_TYPES


@router.get("/{file_id}", response_model=schemas.FileUpload, responses=error_responses(404))
async def get_file(caller: Caller, file_id: schemas.PathId) -> JsonBytes:
    """One file, if one uploaded it or can read a message that carries it."""
    return JsonBytes(await caller.get_file(file_id))


@router.delete("/{file_id}", response_model=schemas.Notice, responses=error_responses(404))
async def delete_file(caller: Caller, file_id: schemas.PathId) -> NoReturn:  # noqa: ARG001 (validated, in the docs)
    """Delete a file."""
    await caller.authenticate()
    raise ApiError(NO_BUCKET)
