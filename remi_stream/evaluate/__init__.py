"""Evaluate predicted bodies against ground truth: MPJPE, PA-MPJPE, PVE, rotation and acceleration errors, id switches."""
