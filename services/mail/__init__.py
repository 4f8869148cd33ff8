"""Messages to the people and programs on the service's own side: an outbox with retries, and mail by SMTP."""
