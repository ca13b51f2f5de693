"""Inverse kinematics: SMPL rotations from joint positions."""
