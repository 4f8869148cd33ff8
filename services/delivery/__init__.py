"""Delivery: from the stored sign-up to Constant Contact."""
