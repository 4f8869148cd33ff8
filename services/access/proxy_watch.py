"""What requests showed about the proxies in front, remembered for health, doctor and dashboard.

A request only sets a value in memory. Housekeeping compares it with what the database keeps, so that all
processes and the commands say the same; the same observation is written once a day.
"""

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
    """Remembers observations for a week; `settings` names the settings they were made under.

    Under other settings they are void.
    """

    rules: ProxyRules
    settings: str
    meta: KeyValue
    clock: Clock
    _seen: dict[str, tuple[int, str]] = field(default_factory=dict, init=False)

    def note(self, observation: ProxyObservation | None) -> None:
        """Remember what a request showed, in memory."""
        if observation is not None:
            self._seen[observation.kind] = (self.clock(), observation.detail)

    def exchange(self) -> None:
        """Store what this process saw, for the other processes.

        Raises:
            StoreError: It is stored the next time.
        """
        kept = self._kept()
        together = self._with_own(kept)
        if together != kept:
            self.meta.put(KEY, json.dumps({"settings": self.settings, "seen": together}))

    def problems(self) -> list[Problem]:
        """Return what is wrong by all observations.

        Raises:
            StoreError: What other processes saw cannot be read.
        """
        seen = self._with_own(self._kept())
        known = [kind for kind in seen if kind != IN_ORDER]
        if IN_ORDER in seen and PRIVATE_VISITOR in known:
            # That was a person in the own network: with a wrong PROXY_HOPS no visitor has a public address.
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
