"""What listens to the relay."""
