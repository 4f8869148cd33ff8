"""How anything gets to disk; knows no subject."""
