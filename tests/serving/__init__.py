"""How requests are taken in: without a server, on pairs of sockets, with a clock that is set."""
