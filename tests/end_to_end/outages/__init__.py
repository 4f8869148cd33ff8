"""The service while the vendor, the database or the disk fails."""
