"""Guards, headers, origins, sessions, and whose word about an address counts."""
