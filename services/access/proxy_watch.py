"""What requests showed about the proxies in front, remembered for health, doctor and dashboard.

A request only sets a value in memory. Now and then each process compares with what is kept in the database,
so that all of them, and the commands, tell the same; what was seen again is written once a day.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from services.access.proxies import IN_ORDER, PRIVATE_VISITOR, ProxyObservation, ProxyRules
from services.problems import Problem
from store.engine.clock import Clock
from store.key_value import KeyValue

KEY = "proxy_sights"
DAY_MS = 24 * 3_600_000
FORGOTTEN_MS = 7 * DAY_MS


@dataclass
class ProxyWatch:
    """Remembers for a week, and only under the settings that were in force, which `settings` names."""

    rules: ProxyRules
    settings: str
    meta: KeyValue
    clock: Clock
    _seen: dict[str, tuple[int, str]] = field(default_factory=dict, init=False)

    def note(self, sight: ProxyObservation | None) -> None:
        """Remember what a request showed, in memory."""
        if sight is not None:
            self._seen[sight.kind] = (self.clock(), sight.detail)

    def exchange(self) -> None:
        """Tell the other processes what was seen here.

        Raises:
            StoreError: it is told the next time.
        """
        kept = self._kept()
        together = self._with_own(kept)
        if together != kept:
            self.meta.put(KEY, json.dumps({"settings": self.settings, "seen": together}))

    def problems(self) -> list[Problem]:
        """What is out of order by all that was seen.

        Raises:
            StoreError: what other processes saw cannot be read.
        """
        seen = self._with_own(self._kept())
        known = [kind for kind in seen if kind != IN_ORDER]
        if IN_ORDER in seen and PRIVATE_VISITOR in known:
            # A person of the own network: with a wrong number no address of a visitor could have been seen.
            known.remove(PRIVATE_VISITOR)
        return [self.rules.problem(kind, seen[kind]["detail"]) for kind in sorted(known)]

    def _kept(self) -> dict[str, Any]:
        document = json.loads(self.meta.get(KEY) or "{}")
        if document.get("settings") != self.settings:
            return {}
        seen: dict[str, Any] = document["seen"]
        return seen

    def _with_own(self, kept: dict[str, Any]) -> dict[str, Any]:
        now, together = self.clock(), dict(kept)
        for kind, (at, detail) in self._seen.copy().items():
            if kind not in kept or at - kept[kind]["at"] > DAY_MS:
                together[kind] = {"at": at, "detail": detail}
        return {kind: seen for kind, seen in together.items() if now - seen["at"] <= FORGOTTEN_MS}
