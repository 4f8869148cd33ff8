"""How HTTP calls leave this process: within a deadline, or to an application in the process itself."""
