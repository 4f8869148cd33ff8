"""The one connection to the vendor, its authorization requests and its audit."""
