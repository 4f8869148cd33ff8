"""What tests and developers upset and look into, under `/_sandbox/`."""
