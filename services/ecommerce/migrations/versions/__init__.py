"""One module for each step of the schema; its name begins with its number."""
