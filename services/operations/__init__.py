"""Whether all is well, and what must be done now and then."""
