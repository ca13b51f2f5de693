"""The viewer's page: viser's, with the daemon's name as its title and an icon of our own."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from urllib.parse import quote

ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='7' fill='#10373a'/>"
    "<g fill='none' stroke='#63d2c6' stroke-width='2.6' stroke-linecap='round' stroke-linejoin='round'>"
    "<path d='M6 9l10 4 10-4M16 13v7M11 28l5-8 5 8'/></g><circle cx='16' cy='7' r='3.4' fill='#f0a35d'/></svg>"
)
"""A person as a skeleton, arms raised."""


def viewer_page(file: Path, title: str) -> bytes:
    """viser's page in a file, with a title and our icon."""
    page = file.read_text(encoding="utf-8")
    head, end, body = page.partition("<script")
    head = re.sub(r"<title>.*?</title>", lambda _: f"<title>{escape(title)}</title>", head, count=1, flags=re.DOTALL)
    icon = f'<link rel="icon" href="data:image/svg+xml,{quote(ICON)}" />'
    head = re.sub(r'<link\s+rel="icon".*?/>', lambda _: icon, head, count=1, flags=re.DOTALL)
    return (head + end + body).encode()
