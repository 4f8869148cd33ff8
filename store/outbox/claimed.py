"""A delivery as its claim hands it out, with what the call for it needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from store.quota.traits import traits_of


@dataclass(frozen=True)
class Carried:
    """A younger delivery of the same contact, which the same call may carry; `received_at` is epoch ms."""

    delivery_id: int
    payload: Mapping[str, Any]
    received_at: int
    source_id: str = ""


@dataclass(frozen=True)
class Claimed:
    """A delivery that is ours until its lease ends, with one call reserved for it; times are epoch ms.

    The call goes out at `starts_at`. `attempts` counts this one. `younger`, oldest first, wait for this
    delivery; name those that the call carried to `delivered`. A `probe` goes out after failures (half-open),
    and all other calls wait for its outcome. A `control` was chosen for being unlike what was refused;
    `probe_of` is the cause that others are put aside for, and that it tests.
    """

    delivery_id: int
    source: str
    source_id: str
    kind: str
    contact_key: str
    payload: Mapping[str, Any]
    received_at: int
    attempts: int
    fence: int
    attempt_id: int
    starts_at: int
    probe: bool
    alone: bool
    younger: tuple[Carried, ...]
    form_id: int | None = None
    control: bool = False
    probe_of: str | None = None

    @property
    def log_id(self) -> dict[str, str]:
        """The key and the value that name it in log lines, such as `signup_id`."""
        return {f"{self.source}_id": self.source_id}

    @property
    def traits(self) -> frozenset[str]:
        """What it has in common with other deliveries, see `store.quota.traits`."""
        return traits_of(
            self.payload,
            kind=self.kind,
            form_id=self.form_id,
            received_at=self.received_at,
            now=self.starts_at,
        )
