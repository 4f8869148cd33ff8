"""What `POST /subscribe` takes and answers."""
