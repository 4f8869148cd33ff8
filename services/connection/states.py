"""The states of the connection in words: what happened, and whether pressing Connect mends it."""

from store.connection.oauth_connection import ConnectionRow

# state: (what happened, whether pressing Connect mends it)
WORDS: dict[str, tuple[str, bool]] = {
    "not_configured": ("The API key of your Constant Contact application is not set.", False),
    "disconnected": ("Constant Contact is not connected yet.", True),
    "connected": ("Constant Contact is connected.", False),
    "refresh_failing": (
        "Renewing the access to Constant Contact fails at the moment; it is tried again by itself.",
        False,
    ),
    "needs_reauthorization": ("Constant Contact has ended our access. An admin must connect again.", True),
    "credentials_rejected": (
        "Constant Contact does not accept the API key and secret. "
        "Check CONSTANT_CONTACT_CLIENT_ID and CONSTANT_CONTACT_CLIENT_SECRET.",
        False,
    ),
    "api_rejected": ("Constant Contact refuses a token that it has only just issued.", True),
    "undecryptable": (
        "ENCRYPTION_KEYS cannot open the stored access. Put the earlier key back, or connect again.",
        True,
    ),
    "foreign_installation": (
        "The stored access belongs to another installation: this is a copy of its database, "
        "or PUBLIC_BASE_URL or the API key has changed. Undo that, or connect again.",
        True,
    ),
}
# Of an application without a secret, in the place of "credentials_rejected".
PUBLIC_CLIENT_REJECTED = (
    "Constant Contact does not accept the API key without a secret. Check CONSTANT_CONTACT_CLIENT_ID, and "
    "set CONSTANT_CONTACT_CLIENT_SECRET unless the application uses the PKCE flow."
)
UNUSABLE = frozenset({"undecryptable", "foreign_installation"})
STATES_OF_SECRETS = UNUSABLE | {"credentials_rejected"}
# The states whose sentence ends with the last error: these have several causes with different cures.
WITH_CAUSE = frozenset({"refresh_failing", "needs_reauthorization"})


def sentence_of(row: ConnectionRow, *, public_client: bool) -> str:
    """Return what happened, with the stored cause, which holds no secret and no text of the vendor.

    `public_client`: the application has no secret.
    """
    sentence, _ = WORDS[row.state]
    if public_client and row.state == "credentials_rejected":
        sentence = PUBLIC_CLIENT_REJECTED
    if row.state in WITH_CAUSE and row.last_error:
        return f"{sentence} The last error: {row.last_error}"
    return sentence
