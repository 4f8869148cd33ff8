"""What alerts say and health does not: what a person can still prevent, and who else should deliver."""

from dataclasses import dataclass

from services.operations.checks import delivery
from services.operations.reader import SnapshotReader
from services.problems import Problem


@dataclass(frozen=True)
class FurtherChecks:
    """Reads parts of a snapshot."""

    reader: SnapshotReader

    def problems(self) -> list[Problem]:
        """Return whether the day's calls are nearly used, and whether anybody delivers. Raises StoreError."""
        queue = self.reader.read_queue()
        found = delivery.day_nearly_used(queue)
        if self.reader.silent_seconds is None:
            usable = self.reader.status.usable()
            found += delivery.worker(self.reader.read_delivery(queue), usable=usable)
        return found
