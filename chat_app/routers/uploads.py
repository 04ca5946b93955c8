"""Files: uploads that stream into the store, downloads that stream out of it, and their records."""

import json
import logging
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError

from chat_app import _native, schemas
from chat_app._native import MEDIA_TYPES, ChatError
from chat_app.core.config import Settings
from chat_app.dependencies import RunningCore, ServiceSettings, TokenCaller, error_responses
from chat_app.errors import answer_of
from chat_app.file_transfer import conditions, download_response, receive_form
from chat_app.json_routes import EncodedJson
from chat_app.serve.forwarded import outer_base_url

logger = logging.getLogger("izpochat.files")

_MEGABYTE = 1024 * 1024
_FILE: dict[str, Any] = {"type": "string", "format": "binary"}


def _multipart(field: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The form of an upload, for the documentation: the body is not read before the caller is known."""
    form = {"type": "object", "required": [field], "properties": {field: schema}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


def _binary(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a download, for the documentation."""
    content = {"application/octet-stream": {"schema": _FILE}}
    answers: dict[int | str, dict[str, Any]] = {
        200: {"description": "The file", "content": content},
        206: {"description": "The requested range", "content": content},
        304: {"description": "Not modified"},
        416: {"description": "Range not satisfiable"},
    }
    return {**error_responses(*statuses), **answers}


router = APIRouter(prefix="/api/uploads", tags=["uploads"])


@router.post(
    "/",
    status_code=201,
    response_model=schemas.FileUpload,
    responses=error_responses(404, 408, 413, 422),
    openapi_extra=_multipart("file", _FILE),
)
async def upload_file(request: Request, caller: TokenCaller, settings: ServiceSettings) -> Response:
    """Upload one file."""
    upload = await _begin(request, caller, settings, multiple=False)
    files, _ = await _receive(upload, request, "file")
    return EncodedJson(files[0], 201)


@router.post(
    "/multiple",
    response_model=schemas.UploadReport,
    responses=error_responses(404, 408, 413, 422),
    openapi_extra=_multipart("files", {"type": "array", "items": _FILE, "maxItems": 10}),
)
async def upload_files(request: Request, caller: TokenCaller, settings: ServiceSettings) -> Response:
    """Upload up to ten files. The others are stored even if some are refused."""
    upload = await _begin(request, caller, settings, multiple=True)
    files, refused = await _receive(upload, request, "files")
    text = b'{"uploaded_files":[%b],"total_uploaded":%d,"total_files":%d'
    report = text % (b",".join(files), len(files), len(files) + len(refused))
    if refused:
        for name, error in refused:
            if answer_of(error).status >= 500:
                logger.error("the file %r of an upload was not stored: %s", name, error)
        errors = [{"filename": name, "error": answer_of(error).detail} for name, error in refused]
        report += b',"errors":' + json.dumps(errors, ensure_ascii=False, separators=(",", ":")).encode()
    return EncodedJson(report + b"}")


@router.get("/", response_model=schemas.FilePage, responses=error_responses())
async def list_files(caller: TokenCaller, skip: schemas.Skip = 0, limit: schemas.Limit = 50) -> Response:
    """The files of the caller, newest first."""
    files = await caller.list_files_of_user(skip=skip, limit=limit)
    total = len(json.loads(files))
    return EncodedJson(b'{"files":%b,"total":%d,"skip":%d,"limit":%d}' % (files, total, skip, limit))


@router.get("/types/allowed", response_model=schemas.AllowedTypes, responses=error_responses(authenticated=False))
async def list_allowed_types(settings: ServiceSettings) -> schemas.AllowedTypes:
    """The media types and the size that uploads may have; no token is needed."""
    megabytes = settings.max_file_size / _MEGABYTE
    groups: dict[str, list[str]] = {"documents": [], "images": [], "audio": [], "video": []}
    for media_type, group in MEDIA_TYPES:
        groups[group].append(media_type)
    return schemas.AllowedTypes(
        allowed_types=[media_type for media_type, _ in MEDIA_TYPES],
        max_file_size_mb=int(megabytes) if megabytes.is_integer() else round(megabytes, 2),
        categories=schemas.FileCategories(**groups),
    )


# What public_url leads to with a local folder. Its other end is SERVED_PATH in rust/chat_server.
@router.get("/files/{key:path}", responses=_binary(404), include_in_schema=False)
async def download_object(core: RunningCore, request: Request, key: str) -> Response:
    """An object, for whoever knows its address."""
    download = await core.download_object(key, **conditions(request))
    # Nothing is ever stored under the same name again.
    return download_response(download, cache="public, max-age=31536000, immutable")


@router.get("/{file_id}", response_model=schemas.FileUpload, responses=error_responses(404))
async def get_file(caller: TokenCaller, file_id: schemas.PathId) -> Response:
    """The metadata of a file, for its uploader and for users who can read a message that carries it."""
    return EncodedJson(await caller.get_file(file_id))


@router.get("/{file_id}/download", responses=_binary(404), response_class=Response)
async def download_file(request: Request, caller: TokenCaller, file_id: schemas.PathId) -> Response:
    """The content of a file under its original name, for users who may see its metadata."""
    download = await caller.download_file(file_id, **conditions(request))
    return download_response(download, cache="private, no-cache")


@router.delete("/{file_id}", response_model=schemas.Notice, responses=error_responses(404))
async def delete_file(caller: TokenCaller, file_id: schemas.PathId) -> schemas.Notice:
    """Delete one's own file. Messages that carry it stay, without it."""
    await caller.delete_file(file_id)
    return schemas.Notice(message="Archivo eliminado exitosamente")


async def _begin(request: Request, caller: _native.Caller, settings: Settings, *, multiple: bool) -> _native.Upload:
    try:
        return await caller.begin_upload(
            multiple=multiple,
            content_type=request.headers.get("content-type"),
            base_url=settings.public_base_url or outer_base_url(request),
        )
    except ChatError as error:
        raise _named(error, "files" if multiple else "file") from error


async def _receive(
    upload: _native.Upload, request: Request, field: str
) -> tuple[list[bytes], list[tuple[str, ChatError]]]:
    try:
        return await receive_form(upload, request)
    except ChatError as error:
        raise _named(error, field) from error


def _named(error: ChatError, field: str) -> Exception:
    """A missing file is reported like any missing field."""
    if error.code != "file_missing":
        return error
    return RequestValidationError([{"type": "missing", "loc": ("body", field), "msg": "Field required", "input": None}])
