"""Tests of services/forms/."""
