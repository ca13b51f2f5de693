"""The web viewer: everybody as a moving body in a browser, beside the live picture."""
