"""Retention, masking and expiry."""
