"""E-mails to real servers, and the outbox."""
