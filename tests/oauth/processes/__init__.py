"""Real processes on a real database against a real sandbox server."""
