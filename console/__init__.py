"""The console: one page to start from, and the generated dashboards without Grafana."""
