"""aitviewer as a viewer of the bus: in a window, into a film, or as somebody else's server that is fed."""
