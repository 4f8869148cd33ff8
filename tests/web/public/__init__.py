"""Tests of web/public/."""
