"""Tests of store/quota/."""
