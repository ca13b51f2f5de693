"""What a recording is made of, while it grows and when it is finished."""
