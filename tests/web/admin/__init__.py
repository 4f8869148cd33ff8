"""Tests of web/admin/."""
