"""Tests of services/operations/."""
