"""A venue inside the process: on any clock, with faults on demand. Copy it to add a broker."""
