"""How they stand: engines, tracks, the pose stage."""
