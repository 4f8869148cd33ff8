"""Where a sign-up stands, for who holds its id."""

from dataclasses import dataclass

from services.intake.identifiers import SignupIds
from services.signups.suspected import SuspectedReview
from services.signups.views import SignupView, signup_view, waiting_view
from store.recovery.spool import Spool
from store.signups.accept import Signups


@dataclass(frozen=True)
class SignupStatuses:
    """Looks wherever a sign-up may be: delivered, suspected, or in the spool."""

    signups: Signups
    suspected: SuspectedReview
    spool: Spool
    ids: SignupIds

    def status(self, signup_id: str) -> SignupView | None:
        """Return where that sign-up stands, for holders of an API key; None for an unknown id."""
        view = self._stored_view(signup_id)
        if view is None and self.spool.holds(signup_id):
            return waiting_view(signup_id, "queued")
        # Between the two reads it may have been imported from the spool.
        return view or self._stored_view(signup_id)

    def received(self, signup_id: str) -> bool:
        """Return whether that sign-up came in: all that a stranger learns, whatever became of it."""
        return self.ids.gave(signup_id) or self.status(signup_id) is not None

    def _stored_view(self, signup_id: str) -> SignupView | None:
        if row := self.signups.find(signup_id):
            return signup_view(row)
        return waiting_view(signup_id, "suspected") if self.suspected.holds(signup_id) else None
