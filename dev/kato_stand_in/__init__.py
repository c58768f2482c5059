"""A stand-in for the KATO server: its HTTP interface, its session handling and its faults."""
