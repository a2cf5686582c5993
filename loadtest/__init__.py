"""Traffic for the demo services, made with Locust."""
