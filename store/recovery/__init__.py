"""When the database refuses, or a file is damaged."""
