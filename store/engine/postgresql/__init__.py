"""All that only a PostgreSQL server needs."""
