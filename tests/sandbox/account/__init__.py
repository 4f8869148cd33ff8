"""Tests of sandbox/account/."""
