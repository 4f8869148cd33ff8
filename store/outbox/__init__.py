"""Deliveries: claims, leases, calls, and what is put aside."""
