"""Venues, reached: the port here, one folder a broker."""
