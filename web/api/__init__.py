"""What servers and probes call."""
