"""smpl_regressor."""
