"""Tests of sandbox/control/."""
