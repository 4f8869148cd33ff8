"""A copy of the forms beside the spool: what a sign-up by a form needs while the database is away.

A process that starts meanwhile, such as after an upgrade, has no forms in memory. Nothing here is personal.
"""

import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import structlog

from store.forms import StoredForm

log = structlog.get_logger(__name__)


class FormsCopy:
    """One file; while it is missing or damaged, no forms are known from it."""

    def __init__(self, path: Path) -> None:
        """Open nothing."""
        self._path = path
        self._written: str | None = None

    def keep(self, forms: Sequence[StoredForm]) -> None:
        """Write the forms if they have changed since the last time; a disk error is logged, not raised."""
        text = json.dumps([asdict(form) for form in forms], ensure_ascii=False, sort_keys=True)
        if text == self._written:
            return
        # A draft for each thread: another one would truncate it before this one has renamed it.
        draft = self._path.with_name(f"{self._path.name}-{threading.get_native_id()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_text(text, encoding="utf-8")
            draft.chmod(0o600)
            draft.replace(self._path)
        except OSError as error:
            log.warning("forms_not_copied", error=type(error).__name__)
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            return
        self._written = text

    def kept(self) -> list[StoredForm]:
        """Return the forms as any process wrote them last."""
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
            return [StoredForm(**{**entry, "wordings": tuple(entry["wordings"])}) for entry in entries]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            log.warning("forms_copy_not_read", error=type(error).__name__)
            return []
