"""What an operator sees of sign-ups and does with them."""
