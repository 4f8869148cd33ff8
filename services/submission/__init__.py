"""What a body says: read, limited and typed, without a look at forms or the account."""
