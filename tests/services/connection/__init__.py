"""Tests of services/connection/."""
