"""Pose estimation: engines, tracking and the pose stage."""
