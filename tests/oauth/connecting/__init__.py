"""Tests of oauth/connecting/."""
