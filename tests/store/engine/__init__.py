"""Tests of store/engine/."""
