"""Use cases, against a real store and a vendor that the test scripts."""
