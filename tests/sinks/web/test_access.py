"""Access rules of the web viewer."""

from __future__ import annotations

import pytest

from remi_stream.sinks.http_guard import HostNames
from remi_stream.sinks.web.access import AccessRules, HttpRequest

OURS = {"host": "127.0.0.1:7710", "origin": "http://127.0.0.1:7710"}
TOKEN = "let-me-in"


def ask(target: str = "/", **headers: str) -> HttpRequest:
    return HttpRequest("GET", target, {**OURS, **{name.replace("_", "-"): value for name, value in headers.items()}})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, ""),
        ({"host": "localhost:7710", "origin": "http://localhost:7710"}, ""),
        ({"host": "[::1]:7710", "origin": "http://[::1]:7710"}, ""),
        ({"host": "192.168.1.5:7710", "origin": "https://192.168.1.5:7710"}, ""),
        ({"origin": "http://evil.example"}, "403"),
        ({"origin": "http://127.0.0.1:8000"}, "403"),
        ({"origin": "http://localhost:7710"}, "403"),
        ({"origin": "null"}, "403"),
        ({"origin": ""}, "403"),
        ({"host": "evil.example:7710", "origin": "http://evil.example:7710"}, "421"),
        ({"host": ""}, "421"),
    ],
)
def test_foreign_origins_and_host_names_are_refused(headers: dict[str, str], status: str) -> None:
    verdict = AccessRules("", 7710).check(ask(**headers))
    assert verdict.status[:3] == status
    assert verdict.action == ("refuse" if status else "pass")


def test_client_without_an_origin_is_allowed() -> None:
    request = HttpRequest("GET", "/", {"host": OURS["host"]})
    assert AccessRules("", 7710).check(request).action == "pass"


def test_token_is_exchanged_for_a_cookie_that_is_accepted() -> None:
    rules = AccessRules(TOKEN, 7710)
    assert rules.check(ask()).status.startswith("401")
    assert rules.check(ask("/?token=wrong")).status.startswith("401")
    assert rules.check(ask(f"/?token={TOKEN}")).action == "set_cookie"
    cookie = rules.cookie_header(ask()).split(";")[0]
    assert rules.check(ask(cookie=f"other=1; {cookie}")).action == "pass"
    assert rules.check(ask(cookie=cookie.replace("let", "led"))).status.startswith("401")


def test_cookie_is_kept_from_scripts_and_from_requests_of_other_sites() -> None:
    words = AccessRules(TOKEN, 7710).cookie_header(ask()).split("; ")
    assert {"HttpOnly", "SameSite=Lax"} <= set(words)


def test_foreign_origin_is_refused_even_with_the_token() -> None:
    assert AccessRules(TOKEN, 7710).check(ask(f"/?token={TOKEN}", origin="http://evil.example")).status.startswith("403")


def test_websocket_with_the_token_is_accepted_without_a_redirect() -> None:
    assert AccessRules(TOKEN, 7710).check(ask(f"/?token={TOKEN}", upgrade="websocket")).action == "pass"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1:7710", "x_forwarded_host": "cam.example", "origin": "https://cam.example"}, ""),
        ({"host": "cam.example", "origin": "https://cam.example"}, ""),
        ({"host": "cam.example:8443", "origin": "https://cam.example:8443"}, ""),
        ({"host": "cam.example", "origin": "https://cam.example:8443"}, "403"),
        ({"host": "cam.example", "origin": "file://cam.example"}, "403"),
        ({"host": "127.0.0.1:7710", "x_forwarded_host": "evil.example", "origin": "http://evil.example"}, "421"),
        ({"host": "evil.example", "x_forwarded_host": "cam.example", "origin": "http://cam.example"}, "421"),
        ({"host": "127.0.0.1:7710", "x_forwarded_host": "cam.example", "origin": "http://127.0.0.1:7710"}, "403"),
    ],
)
def test_name_of_a_reverse_proxy_is_allowed_when_it_is_configured(headers: dict[str, str], status: str) -> None:
    assert AccessRules("", 7710, HostNames(["cam.example"])).check(ask(**headers)).status[:3] == status
