"""What telemetry costs: kept throughput beside other ways to do it, and the delays of a running stack."""
