"""Tests of services/signups/."""
