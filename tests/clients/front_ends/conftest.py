"""The fixtures of the browser tests."""

from tests.end_to_end.conftest import chromium, page

__all__ = ["chromium", "page"]
