"""Tests of services/submission/."""
