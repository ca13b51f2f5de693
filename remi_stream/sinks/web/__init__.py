"""The web viewer: tracked people as animated bodies in a browser (viser), with the live image."""
