"""The delivery of sign-ups: one change to a contact of its own wish."""
