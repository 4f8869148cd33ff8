"""What somebody sent, read, limited and typed; knows no form and no account."""
