"""The usual way to take a file: ``UploadFile``, copied to where it is kept.

It authenticates nobody, looks at nothing, makes nothing durable, and writes no row.
"""

import shutil
import uuid
from pathlib import Path

from fastapi import FastAPI, UploadFile

app = FastAPI()
FOLDER = Path("uploads")
FOLDER.mkdir(exist_ok=True)


@app.post("/api/uploads/", status_code=201)
async def upload(file: UploadFile) -> dict[str, object]:
    """Store a file."""
    path = FOLDER / uuid.uuid4().hex
    with path.open("wb") as target:
        shutil.copyfileobj(file.file, target, 1024 * 1024)
    return {"stored": path.name, "size": path.stat().st_size}
