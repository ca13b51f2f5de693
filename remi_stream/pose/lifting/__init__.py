"""Lifting: 3D joints from 2D key points (VideoPose3D), and the learned correction of the closed-form fit."""
