"""What keeps a service bounded: in requests at once, and in the rows of its tables."""
