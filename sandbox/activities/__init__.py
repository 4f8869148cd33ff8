"""Activities: bulk changes of contacts, which the account makes a little later, and their states."""
