"""Rendering of bodies to images and videos, without a display or GPU."""
