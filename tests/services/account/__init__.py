"""Tests of services/account/."""
