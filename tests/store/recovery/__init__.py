"""Tests of store/recovery/."""
