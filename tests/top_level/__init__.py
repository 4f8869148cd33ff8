"""Tests of the top-level modules, and of the repository as a whole."""
