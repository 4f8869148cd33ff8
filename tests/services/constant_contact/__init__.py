"""Tests of services/constant_contact/."""
