"""What can be wrong, by subject: each check is a pure function of what was read, and returns problems."""
