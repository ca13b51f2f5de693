"""Pose estimation: engines and their crops, heatmaps, lifting, the pose stage."""
