"""How gunicorn's workers take requests in: one gets a thread when it is complete. Knows nothing of ours."""
