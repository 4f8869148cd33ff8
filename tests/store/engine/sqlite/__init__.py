"""Tests of store/engine/sqlite/."""
