"""Tests of store/mail/."""
