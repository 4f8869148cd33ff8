"""What is told to the people who look after the service: messages until they arrive, and alerts."""
