"""Fit of a body with shape to landmarks, pixels and priors, by a few Gauss-Newton steps from the last frame's solution."""
