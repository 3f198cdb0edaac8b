"""The face that users write against: strategies, how they are loaded, and one honest demonstration."""
