"""From a problem to a message that arrives."""
