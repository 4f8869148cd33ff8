"""Tests of oauth/."""
