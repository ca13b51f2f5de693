"""What runs in the container images besides `remi-stream`: entry point, health check."""
