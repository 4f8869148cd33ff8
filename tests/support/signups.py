"""Sign-ups as a plain form of no name sends them."""

from store.signups.accept import NewSignup


def bare_signup(signup_id: str, email: str, *, at: int, lists: tuple[str, ...] = ()) -> NewSignup:
    """Return a sign-up that says nothing but an address and its lists; `at` is epoch ms."""
    return NewSignup(
        id=signup_id,
        received_at=at,
        contact_key=email,
        email=email,
        person={},
        list_ids=lists,
        source=None,
        consent=None,
        page=None,
        network_address=None,
        user_agent=None,
        asked_by="form",
    )
