"""What is done to the processes, a module a scenario: each runs, judges, and returns its figures."""
