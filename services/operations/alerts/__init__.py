"""Tells people and programs when something needs a person, that it still does, and that it is over."""
