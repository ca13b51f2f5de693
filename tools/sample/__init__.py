"""What render_sample shows: a motion, the people in it, and the studio they are filmed in."""
