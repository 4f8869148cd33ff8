"""Tests of oauth/refresh/."""
