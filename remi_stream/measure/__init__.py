"""What is measured of a running pipeline: REMI's own numbers, and honest ones beside them."""
