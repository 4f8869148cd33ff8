"""The vendor's quota of calls, shared by all processes, and what recent refusals have in common."""
