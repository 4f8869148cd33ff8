"""The kind `sign_up`: create or update the contact, add it to lists, give it tags."""
