"""The contacts of the account, and what they have: lists, custom fields, tags."""
