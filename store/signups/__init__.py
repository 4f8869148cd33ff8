"""What people submitted: limits, idempotency, suspected ones, and records."""
