"""The demo services, one slice a folder."""
