"""Parts that the web viewer, the display and aitviewer share: pairing previews with bodies, overlays, rates, floor estimation."""
