"""Tests of sandbox/authorization/."""
