"""The vendor's quota of calls, and what was refused of late."""
