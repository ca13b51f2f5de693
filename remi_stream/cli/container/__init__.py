"""Programs of the container images besides `remi-stream`: entry point and health check."""
