"""Tests of store/outbox/."""
