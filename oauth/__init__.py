"""From consent to the Authorization header. What stores the tokens, and who may connect, is handed in."""
