"""Real processes: gunicorn, the sandbox on its own port, Chromium."""
