"""Proof that acknowledged sign-ups survive kills, power cuts and lost databases: docs/durability.md."""
