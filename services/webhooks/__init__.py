"""Signed calls to others' programs, as Standard Webhooks describes them."""
