"""Refreshing: one at a time over all processes, the new pair stored before anything else happens."""
