"""How rows and files get to disk; knows the tables, and nothing of what they are for."""
