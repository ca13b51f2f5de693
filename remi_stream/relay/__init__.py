"""Relay: filters, stamps and publishes all bodies."""
