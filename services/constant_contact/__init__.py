"""The client of Constant Contact's API, its records and its failures."""
