"""Real servers: start, commands, workers, limits and slow peers."""
