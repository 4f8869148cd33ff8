"""The account and its addresses."""
