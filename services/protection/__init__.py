"""Person or program: the rules for sign-ups by forms."""
