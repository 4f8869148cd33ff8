"""What the account does a little later: bulk changes of contacts, and how far they have come."""
