"""Grafana dashboard: panel definitions, and rendering without Grafana."""
