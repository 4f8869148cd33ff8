"""Tests of services/access/."""
