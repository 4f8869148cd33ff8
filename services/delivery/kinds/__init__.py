"""Every kind of delivery, by its name in `deliveries.kind`."""

from collections.abc import Mapping

from services.delivery.kind import Collaborators, Kind
from services.delivery.kinds.leave import Leave
from services.delivery.kinds.sign_up.send import SignUp

KINDS: Mapping[str, type[Kind]] = {kind.name: kind for kind in (SignUp, Leave)}


def build_kinds(collaborators: Collaborators) -> Mapping[str, Kind]:
    """Return one object of each kind."""
    return {name: kind(collaborators) for name, kind in KINDS.items()}
