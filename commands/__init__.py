"""The `flask` commands by their subject: thin, each calls a use case and prints the outcome."""
