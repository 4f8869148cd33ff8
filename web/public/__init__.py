"""What visitors' browsers open."""
