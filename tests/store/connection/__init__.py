"""Tests of store/connection/."""
