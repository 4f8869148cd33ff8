"""Measurements run by hand with `make bench`; never a test, because a busy machine is not a fault."""
