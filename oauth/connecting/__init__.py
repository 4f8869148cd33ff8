"""Consent: from the vendor's page to the first stored token pair, and what connects or disconnects."""
