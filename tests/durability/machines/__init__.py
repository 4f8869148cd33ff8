"""What the scenarios run on: processes, servers and clocks that can be crashed, frozen and set."""
