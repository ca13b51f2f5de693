"""What make_open_body builds with: the assets, people made of them, and their clothes."""
