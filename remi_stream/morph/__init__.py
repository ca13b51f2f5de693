"""From one mesh to another of the same topology: pictures between the two, and how far everything moves."""
