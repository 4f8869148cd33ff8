"""OAuth clients that others wrote, against the sandbox: `make test-clients`."""
