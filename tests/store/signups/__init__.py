"""Tests of store/signups/."""
