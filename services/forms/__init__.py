"""Forms that an admin makes."""
