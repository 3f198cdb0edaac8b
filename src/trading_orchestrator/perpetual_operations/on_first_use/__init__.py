"""What is built only when somebody asks for it: a node that only trades never pays for it."""
