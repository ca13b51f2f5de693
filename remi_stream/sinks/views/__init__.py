"""What the web viewer and the window share: pictures and bodies in pairs, drawn alike, counted alike."""
