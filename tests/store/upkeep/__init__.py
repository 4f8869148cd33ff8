"""Tests of store/upkeep/."""
