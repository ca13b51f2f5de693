"""aitviewer as a viewer of the bus: in a window, rendered to a video, or as a remote server that receives updates."""
