"""Tests of services/protection/."""
