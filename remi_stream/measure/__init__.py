"""Measure a running pipeline: REMI's own metrics, and metrics with exact definitions beside them."""
