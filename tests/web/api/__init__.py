"""Tests of web/api/."""
