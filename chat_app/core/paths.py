"""Paths below the prefix of the application."""

from starlette.types import Scope


def path_below_root(scope: Scope) -> str:
    """The path of a request or socket without the ASGI ``root_path``, which a server or a parent application adds.

    Whole segments are compared: below ``/co``, ``/compat`` is a path of its own.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and (path == root or path.startswith(root + "/")):
        return path[len(root) :]
    return path
