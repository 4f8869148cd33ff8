"""How the connection to the vendor stands, how old its tokens are, and its audit."""
