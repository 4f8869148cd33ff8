"""One refresh at a time, stored before anything else happens."""
