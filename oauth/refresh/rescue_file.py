"""The last resort when the storage does not take a pair whose predecessor is spent: a sealed file."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from oauth.encryption import TokenCipher
from oauth.errors import Undecryptable
from oauth.tokens import TokenPair


@dataclass(frozen=True)
class Unsaved:
    """A pair that the vendor issued for this generation and epoch and the storage did not take yet."""

    generation: int
    epoch: int
    pair: TokenPair = field(repr=False)


class RescueFile:
    """One file, 0600, sealed as a whole, replaced atomically and on disk when ``write`` returns.

    Args:
        path: In a folder that survives a restart.
        cipher: Seals the content.
    """

    def __init__(self, path: Path, cipher: TokenCipher) -> None:
        self._path = path
        self._cipher = cipher

    def write(self, unsaved: Unsaved) -> None:
        """Puts ``unsaved`` on disk in place of what was there.

        Raises:
            OSError: The disk does not take it.
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
        """What was written; None without a file, or with one that no key opens, which stays for a later key.

        Raises:
            OSError: There is a file that cannot be read.
        """
        try:
            document = json.loads(self._cipher.unseal(self._path.read_text()))
        except (FileNotFoundError, Undecryptable, ValueError):
            return None
        return Unsaved(document["generation"], document["epoch"], TokenPair(**document["pair"]))

    def remove(self) -> None:
        """Deletes the file if there is one."""
        self._path.unlink(missing_ok=True)
        self._sync_folder()

    def _sync_folder(self) -> None:
        # A rename or a removal is only durable once its folder is.
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
