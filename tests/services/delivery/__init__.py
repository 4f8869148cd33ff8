"""Tests of services/delivery/."""
