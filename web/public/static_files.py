"""Static files: their address changes with their content, so browsers keep a file until it is another."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from werkzeug.security import safe_join

ONE_YEAR = 31_536_000
ENDPOINT = "static"
# Of the SHA-256 in hex: enough to tell one release's file from the next one's.
VERSION_LENGTH = 10


def install(app: Flask) -> None:
    """Add the version to the address of each static file, and let browsers keep what has one."""
    folder = str(app.static_folder)

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == ENDPOINT and (version := _version(folder, values["filename"])):
            values.setdefault("v", version)

    @app.after_request
    def keep(answer: Response) -> Response:
        # An address with an older version, from a page that is still open, gets the new file and is not kept.
        asked = request.args.get("v") if request.endpoint == ENDPOINT else None
        if asked and answer.status_code < 400 and asked == _version(folder, request.view_args["filename"]):  # type: ignore[index]
            answer.headers["Cache-Control"] = f"public, max-age={ONE_YEAR}, immutable"
        return answer


def _version(folder: str, name: str) -> str | None:
    path = safe_join(folder, name)
    try:
        return _digest(path, Path(path).stat().st_mtime_ns) if path else None
    except OSError:
        return None


@lru_cache(maxsize=64)
def _digest(path: str, _changed_at: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:VERSION_LENGTH]
