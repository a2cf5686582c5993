"""The overview: is anything wrong, in which system, and where to look next."""
