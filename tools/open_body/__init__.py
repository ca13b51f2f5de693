"""Parts of make_open_body.py: MakeHuman assets, random people, clothes."""
