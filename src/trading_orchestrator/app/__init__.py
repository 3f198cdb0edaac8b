"""The hall: the only place that names concrete classes and wires both wings."""
