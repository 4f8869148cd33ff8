"""Tests of web/security/."""
