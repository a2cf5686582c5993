"""The pages; each module has install(console)."""
