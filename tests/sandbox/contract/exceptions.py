"""Statuses that the sandbox answers though the contract does not list them, each with its reason.

A status that any operation may answer stands under `EVERYWHERE`. That the contract lacks them is tested.
"""

EVERYWHERE: dict[int, str] = {
    415: "a body that does not say it is JSON is refused for every operation; the contract lists it for some",
    429: "every call may be throttled (vendor page rate_limits); the contract lists it for some",
    501: "the sandbox's own: an operation or a parameter that it does not imitate",
}
EXCEPTIONS: dict[tuple[str, int], str] = {
    (
        "DELETE /contacts/{contact_id}",
        409,
    ): "two simultaneous edits of one contact are a 409 of PUT and sign_up_form; so is a deletion (assumed)",
    (
        "PUT /contact_lists/{list_id}",
        409,
    ): "a name that is taken is a 409 of POST; that renaming says the same is assumed",
    (
        "PUT /contact_custom_fields/{custom_field_id}",
        409,
    ): "a label that is taken is a 409 of POST; that renaming says the same is assumed",
}


def excused(operation: str, status: int) -> bool:
    """Return whether an answer is right that the contract does not list."""
    return status in EVERYWHERE or (operation, status) in EXCEPTIONS
