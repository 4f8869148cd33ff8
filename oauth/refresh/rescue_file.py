"""A sealed file for a token pair that the storage refuses, while the pair before it is spent already."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from oauth.encryption import TokenCipher
from oauth.errors import Undecryptable
from oauth.tokens import TokenPair


@dataclass(frozen=True)
class Unsaved:
    """A token pair that is not stored yet; generation and epoch are of the pair before it."""

    generation: int
    epoch: int
    pair: TokenPair = field(repr=False)


class RescueFile:
    """One file of mode 0600, sealed as a whole, replaced atomically, and durable when ``write`` returns.

    Args:
        path: A file in a folder that survives a restart.
        cipher: Seals the content.
    """

    def __init__(self, path: Path, cipher: TokenCipher) -> None:
        self._path = path
        self._cipher = cipher

    def write(self, unsaved: Unsaved) -> None:
        """Replace the content by ``unsaved``, durably.

        Raises:
            OSError: The file cannot be written.
        """
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(self._cipher.seal(json.dumps(asdict(unsaved))))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        self._sync_folder()

    def read(self) -> Unsaved | None:
        """Return what was written; None without a file, or where no key opens the file, which then stays.

        Raises:
            OSError: There is a file that cannot be read.
        """
        try:
            document = json.loads(self._cipher.unseal(self._path.read_text()))
        except (FileNotFoundError, Undecryptable, ValueError):
            return None
        return Unsaved(document["generation"], document["epoch"], TokenPair(**document["pair"]))

    def remove(self) -> None:
        """Delete the file if there is one."""
        self._path.unlink(missing_ok=True)
        self._sync_folder()

    def _sync_folder(self) -> None:
        # A rename or a removal is only durable once its folder is.
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
