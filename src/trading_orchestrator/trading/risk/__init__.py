"""Limits that every order passes before it exists, and the exposure they are measured on."""
