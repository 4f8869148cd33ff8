"""What only a database in a file needs."""
