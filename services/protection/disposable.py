"""Disposable addresses: domains that give anybody a mailbox for a while.

Short on purpose: the best known of them, kept by hand, without asking the network. An admin may release a
sign-up from one that is meant seriously.
"""

DOMAINS = frozenset(
    {
        *("10minutemail.com", "33mail.com", "dispostable.com", "dropmail.me", "emailondeck.com"),
        *("fakeinbox.com", "fakemail.net", "getairmail.com", "getnada.com", "grr.la", "guerrillamail.biz"),
        *("guerrillamail.com", "guerrillamail.de", "guerrillamail.info", "guerrillamail.net"),
        *("guerrillamail.org", "guerrillamailblock.com", "inboxkitten.com", "mailcatch.com", "maildrop.cc"),
        *("mailinator.com", "mailnesia.com", "mailsac.com", "mintemail.com", "mohmal.com", "moakt.com"),
        *("mytemp.email", "sharklasers.com", "spam4.me", "spamgourmet.com", "temp-mail.io"),
        *("temp-mail.org", "tempail.com", "tempmail.com", "tempr.email", "throwawaymail.com"),
        *("trashmail.com", "trashmail.de", "trashmail.net", "yopmail.com", "yopmail.fr", "yopmail.net"),
    }
)


def is_disposable(email: str) -> bool:
    """Return whether a normalised address is at one of them, or at a name below one."""
    labels = email.rpartition("@")[2].split(".")
    return any(".".join(labels[start:]) in DOMAINS for start in range(len(labels) - 1))
