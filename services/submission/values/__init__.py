"""Single values as people write them and as the vendor takes them: days, moments, host names, addresses."""
