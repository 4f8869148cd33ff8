"""Sign-ups from other sites' pages, in a real browser."""
