"""A window on the machine's own screen: the picture, with everybody's body or skeleton on it."""
