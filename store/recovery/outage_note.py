"""A file in which the processes of one machine write down whom they told of an outage of the database."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from store.engine.files import beside, flocked


class OutageNote:
    """A small JSON document. Where the folder cannot be written, this process alone remembers it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # None as long as the file can be written, which then is what counts.
        self._remembered: dict[str, Any] | None = None

    def exists(self) -> bool:
        """Return whether anything is written down."""
        return bool(self._remembered) or self._path.exists()

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any] | None]:
        """Lend the document, empty at first; what it holds at the end is written down, empty it is removed.

        None while another process has it.
        """
        with ExitStack() as held:
            alone = True
            with suppress(OSError):
                alone = held.enter_context(flocked(beside(self._path, "-lock"), seconds=0))
            if not alone:
                yield None
                return
            document = self._read() if self._remembered is None else self._remembered
            yield document
            try:
                self._write(document)
                self._remembered = None
            except OSError:
                self._remembered = document

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    def _write(self, document: dict[str, Any]) -> None:
        if not document:
            self._path.unlink(missing_ok=True)
            return
        draft = beside(self._path, f"-{os.getpid()}")
        draft.write_text(json.dumps(document))
        draft.replace(self._path)
