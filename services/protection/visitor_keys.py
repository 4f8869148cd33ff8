"""The keys that sign what visitors hold while they fill in a form: its token, and their proof of work.

After a change of SECRET_KEY the visitors who have a form open must not be taken for programs. The key in use
is therefore kept in the database, sealed with ENCRYPTION_KEYS, for as long as tokens that it signed are good.
Neither SECRET_KEY nor any key of the admin's can be computed from it.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from services.access.derived_keys import derived_key
from store.engine.clock import Clock
from store.key_value import KeyValue

PREFIX = "visitor-key:"
# How long tokens are good (a day), and how often the time of the last use is written down.
NOTED_EVERY_MS = 3_600_000
KEPT_MS = 24 * 3_600_000 + NOTED_EVERY_MS


@dataclass
class VisitorKeys:
    """The key of the current SECRET_KEY, and those of earlier ones whose tokens visitors may still hold.

    `own` is the current key; until `refresh` has looked, it is the only one. `unseal` returns None for what
    ENCRYPTION_KEYS do not open.
    """

    own: str = field(repr=False)
    meta: KeyValue
    seal: Callable[[str], str]
    unseal: Callable[[str], str | None]
    clock: Clock

    def __post_init__(self) -> None:
        self._row = PREFIX + hashlib.sha256(self.own.encode()).hexdigest()[:32]
        self._accepted: tuple[str, ...] = (self.own,)

    def form_token(self) -> tuple[str, ...]:
        """Return the keys of forms' tokens; the first one signs."""
        return self._for("form token")

    def proof_of_work(self) -> tuple[str, ...]:
        """Return the keys of proofs of work; the first one signs."""
        return self._for("proof of work")

    def refresh(self) -> None:
        """Read which keys other processes use or used within a day, and store ours for them.

        Raises:
            StoreError: the keys known so far stay.
        """
        now, earlier, noted = self.clock(), [], False
        for row, document in self.meta.starting_with(PREFIX).items():
            entry = json.loads(document)
            age = now - entry["used_at"]
            if row == self._row:
                noted = abs(age) < NOTED_EVERY_MS
            elif age > KEPT_MS:
                self.meta.remove(row)
            elif key := self.unseal(entry["sealed"]):
                earlier.append(key)
        self._accepted = (self.own, *earlier)
        if not noted:
            self.meta.put(self._row, json.dumps({"sealed": self.seal(self.own), "used_at": now}))

    def _for(self, purpose: str) -> tuple[str, ...]:
        return tuple(derived_key(key, purpose) for key in self._accepted)
