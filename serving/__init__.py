"""gunicorn's worker: a request gets a thread when it is complete. Imports nothing else of this project."""
