"""The keys of what visitors hold while they fill in a form: its token, and the proof of work asked of them.

A new SECRET_KEY must not make programs of the visitors who have a form open. The key in use is therefore kept
in the database, sealed with ENCRYPTION_KEYS, for as long as tokens that it signed are good. Neither
SECRET_KEY nor any key of the admin's can be computed from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from services.access.derived_keys import derived_key
from store.key_value import KeyValue

PREFIX = "visitor-key:"
# How long tokens are good (a day), and how often the time of the last use is written down.
NOTED_EVERY_MS = 3_600_000
KEPT_MS = 24 * 3_600_000 + NOTED_EVERY_MS


class VisitorKeys:
    """The key of the current SECRET_KEY, and those of earlier ones whose tokens visitors may still hold."""

    def __init__(
        self,
        own: str,
        *,
        meta: KeyValue,
        seal: Callable[[str], str],
        unseal: Callable[[str], str | None],
        clock: Callable[[], int],
    ) -> None:
        """`own` is the current key; until `refresh` has looked, it is the only one.

        `unseal` returns None for what ENCRYPTION_KEYS do not open; `clock` tells epoch ms.
        """
        self._own = own
        self._row = PREFIX + hashlib.sha256(own.encode()).hexdigest()[:32]
        self._meta = meta
        self._seal = seal
        self._unseal = unseal
        self._clock = clock
        self._accepted: tuple[str, ...] = (own,)

    def form_token(self) -> tuple[str, ...]:
        """Keys that sign a form's token: the one to sign with comes first."""
        return self._for("form token")

    def proof_of_work(self) -> tuple[str, ...]:
        """Keys that sign a proof of work: the one to sign with comes first."""
        return self._for("proof of work")

    def refresh(self) -> None:
        """See which keys other processes use or used within a day, and let them see ours.

        Raises:
            StoreError: the keys known so far stay.
        """
        now, earlier, noted = self._clock(), [], False
        for row, document in self._meta.starting_with(PREFIX).items():
            entry = json.loads(document)
            age = now - entry["used_at"]
            if row == self._row:
                noted = abs(age) < NOTED_EVERY_MS
            elif age > KEPT_MS:
                self._meta.remove(row)
            elif key := self._unseal(entry["sealed"]):
                earlier.append(key)
        self._accepted = (self._own, *earlier)
        if not noted:
            self._meta.put(self._row, json.dumps({"sealed": self._seal(self._own), "used_at": now}))

    def _for(self, purpose: str) -> tuple[str, ...]:
        return tuple(derived_key(key, purpose) for key in self._accepted)
