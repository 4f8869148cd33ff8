"""Tests of sandbox/contacts/."""
