"""Signed calls to a real server."""
