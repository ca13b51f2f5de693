"""Credentials in any part of a URL, and in any text, are masked; what is no credential stays readable."""

from __future__ import annotations

import ast
import json
import logging
import random
import re
import string
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import av
import pytest

from remi_stream.capture.camera_url import check_camera_url
from remi_stream.errors import UsageError
from remi_stream.log import LogFormatter
from remi_stream.models.manifest import list_manifests, model_files_by_name, read_manifest
from remi_stream.models.store import manual_download_hint, missing_file_hint
from remi_stream.paths import shipped_folder
from remi_stream.redaction import redact, redact_url

PACKAGE = Path(redact.__code__.co_filename).parent
SHA1, SHA256 = "3f786850e387550fdab836ed7e6dc881de23001b", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

HARMLESS = """
rtsp://192.168.1.10:554/Streaming/Channels/101
rtsp://192.168.1.10:554/ISAPI/Streaming/channels/102/httpPreview
rtsp://192.168.1.10/Streaming/tracks/101?starttime=20240101T120000Z&endtime=20240101T130000Z
rtsp://192.168.1.10/cam/realmonitor?channel=1&subtype=0
rtsp://10.0.0.5:554/h264Preview_01_main
rtsp://10.0.0.5/axis-media/media.amp?videocodec=h264&camera=1&resolution=640x480
rtsp://10.0.0.5/onvif-media/media.amp?profile=profile_1_h264&sessiontimeout=60&streamtype=unicast
rtsp://10.0.0.5:88/videoMain
rtsp://10.0.0.5:554/user=admin&password=&channel=1&stream=0.sdp?
rtsp://10.0.0.5:554/nphMpeg4/g726-640x48
rtsp://10.0.0.5:554/h264/ch1/main/av_stream
rtsp://10.0.0.5:554/unicast/c1/s0/live
rtsp://10.0.0.5:554/0/1:1/main
rtsp://10.0.0.5:554/mode=real&idc=1&ids=1
rtsp://10.0.0.5:554/tcp/av0_0
rtsp://10.0.0.5:554/MediaInput/h264/stream_1
rtsps://[fe80::1]:322/stream1
http://10.0.0.5/mjpg/video.mjpg?camera=2&fps=15
http://10.0.0.5:8080/?action=stream
http://10.0.0.5:8080/@user/live
rtsp://camera.local:554/stream@main
rtsp://bridge:554/stream@main
http://bridge:554/auth/live/main
rtsp://bridge:8554/front-door
rtsp://bridge:8554/Wohnzimmer_Nord
rtsp://joe@cam/x
tcp://127.0.0.1:7700
ipc:///tmp/rk3x9_q2ab81/remi-stream/t8f3a9c21/bus
file:///home/joe/two_pass=1.mp4
/data/2024-01-01T12:30@home.mp4
recording:/data/2024-01-01T12:30@home
file:///home/joe/.cache/d41d8cd98f00b204e9800998ecf8427e/clip.mp4
http://127.0.0.1:7720/metrics
recording:/data/2026-11-30T120000-front
"""

TEMPLATES = """
rtsp://admin:{p}@192.168.1.64:554/Streaming/Channels/101
RTSP://ADMIN:{p}@192.168.1.64/cam/realmonitor?channel=1&subtype=0
rtsp://admin:{p}@192.168.1.64/h264Preview_01_main
rtsp://us@er:{p}@192.168.1.64/x
rtsp://admin%3A{p}@192.168.1.64/x
rtsp://192.168.1.64:554/user=admin_password={p}_channel=1_stream=0.sdp?real_stream
rtsp://192.168.1.64:554/user=admin&password={p}&channel=1&stream=0.sdp?
rtsp://192.168.1.64:554/user=admin_passwd={p}_channel=1_stream=0.sdp
rtsp://192.168.1.64/0/admin:{p}/main
rtsp://192.168.1.64/live.sdp;password={p}
rtsp://192.168.1.64/ch0_0.h264?psw={p}&usr=admin
http://192.168.1.64:88/cgi-bin/CGIStream.cgi?cmd=GetMJStream&usr=admin&pwd={p}
http://192.168.1.64/videostream.cgi?loginuse=admin&loginpas={p}
http://192.168.1.64/flv?port=1935&app=bcs&stream=channel0_main.bcs&user=admin&password={p}
http://192.168.1.64/cgi-bin/api.cgi?cmd=Snap&channel=0&rs={t}&user=admin&PASSWORD={p}
http://192.168.1.64/video.mjpg?AuthBasic={t}
http://192.168.1.64/live?api_key={t}&channel=1
http://192.168.1.64/live?apikey={t}#t=1
http://192.168.1.64/live?channel=1&access_token={t}
http://192.168.1.64/live?access%5Ftoken={t}
http://192.168.1.64/live#access_token={t}
rtsp://192.168.1.64:7447/{t}
rtsps://192.168.1.64:7441/{t}?enableSrtp
rtsp://wb:{t}@192.168.1.64:8554/front-door
rtsp://192.168.1.64:8554/front-door?api={t}
rtmp://a.rtmp.youtube.com/live2/{y}
rtmps://live-api-s.facebook.com:443/rtmp/FB-1234567890123456-0-{t}
rtmp://live.twitch.tv/app/live_123456789_{t}
rtmp://192.168.1.64/app/cam?streamkey={t}
rtmp://192.168.1.64/bcs/channel0_main.bcs?channel=0&stream=0&token={t}
https://cdn.example/hls/{t}/1700000000/index.m3u8
https://cdn.example/live/index.m3u8?hdnts=exp=1700000000~acl=/*~hmac={t}
https://cdn.example/live/index.m3u8?e=1700000000&st={t}
https://cdn.example/live/index.m3u8?Policy=x&Signature={t}&Key-Pair-Id={t}
https://cdn.example/live/index.m3u8?foo={t}
https://cdn.example/live/;jsessionid={t}
srt://192.168.1.64:9000?passphrase={p}&latency=200
srt://192.168.1.64:9000?streamid=#!::r=live,u=admin,s={p}
srt://192.168.1.64:9000?streamid=publish:live:admin:{p}
rtsp://192.168.1.64/password/{p}/live
http://192.168.1.64/live/user/admin/pwd/{p}
http://192.168.1.64/api_key/{t}/live.m3u8
http://proxy/stream?url={nested}
http://proxy/{nested}/view
http://proxy/?src={twice}&fps=5
"""
TEXTS = """
opening rtsp://admin:{b}@192.168.1.64/live: refused
opening 'rtsp://admin:{b}@192.168.1.64:554/live?x=1' failed
Cookie: session={t}; theme=dark
request had Set-Cookie: sid={t}
X-Api-Key: {t}
{{'X-Auth-Token': '{t}', 'Accept': '*/*'}}
Proxy-Authorization: Basic {t}
{{"user": "admin", "password": "{b}", "port": 554}}
{{'user': 'admin', 'password': '{b}'}}
{{\\"password\\": \\"{b}\\"}}
password: {w}
passwd = {w}
login with pw={w} refused
rtspPassword={w}
auth={w}
auth=('admin', '{b}')
api-key={t}
secret_key: {t}
ffmpeg --password {w} -i x
['ffmpeg', '--password', '{w}', '-i', 'x']
login admin%3A{w}@cam refused
login admin:p@{w}@cam refused
login admin:p@s/{w}@192.168.1.64 refused
//admin:{w}@192.168.1.64/live
/live?user=admin&password={w} HTTP/1.1
"""
"""Lines of logs and errors of libraries, with a word {w}, words with a blank {b} or a token {t} that is secret."""
TOKEN_LETTERS = (string.ascii_letters + string.digits, string.hexdigits.lower(), string.ascii_letters + string.digits + "-_")


def planted(count: int, seed: int) -> Iterator[tuple[str, list[str]]]:
    """URLs as cameras and services use them, each with the secrets that are in it, as they stand there and decoded."""
    pick, templates = random.Random(seed), TEMPLATES.split()
    for number in range(count):
        password = "q" + "".join(pick.choices(string.ascii_letters + string.digits + "!$*-.~", k=pick.randint(7, 14)))
        if pick.random() < 0.3:
            ending = pick.choice(["123", "@Home", ":1", "#2", "/x9", "%&7"])
            password = "".join(pick.choices(string.ascii_lowercase, k=9)) + ending
        encoded = quote(password, safe="")
        token = "".join(pick.choices(pick.choice(TOKEN_LETTERS), k=pick.randint(16, 40)))
        key = "-".join("".join(pick.choices(string.ascii_lowercase + string.digits, k=4)) for _ in range(5))
        inner = f"rtsp://joe:{encoded}@cam/x"
        nested = quote(inner, safe="")
        fields = {"p": encoded, "t": token, "y": key, "nested": nested, "twice": quote(nested, safe="")}
        template = templates[number % len(templates)]
        url = template.format(**fields)
        used = {"{p}": password, "{t}": token, "{y}": key, "{nested}": password, "{twice}": password}
        secrets = [secret for name, secret in used.items() if name in template]
        yield url, [form for secret in secrets for form in (secret, quote(secret, safe=""))]


def planted_texts(count: int, seed: int) -> Iterator[tuple[str, list[str]]]:
    """Lines as libraries write them, each with the secrets in it."""
    pick, templates = random.Random(seed), TEXTS.strip().splitlines()
    for number in range(count):
        words = [
            "q" + "".join(pick.choices(string.ascii_letters + string.digits + "!$*-.~", k=pick.randint(6, 12))) for _ in "ab"
        ]
        token = "".join(pick.choices(pick.choice(TOKEN_LETTERS), k=pick.randint(16, 40)))
        template = templates[number % len(templates)]
        used = {"{w}": words[:1], "{b}": words, "{t}": [token]}
        text = template.format(w=words[0], b=" ".join(words), t=token)
        yield text, [secret for name, secrets in used.items() if name in template for secret in secrets]


def leaked(shown: str, secrets: list[str]) -> bool:
    return any(secret in shown for secret in secrets)


def test_none_of_ten_thousand_planted_secrets_leaves_by_a_url_a_log_line_or_an_error() -> None:
    formatter = {style: LogFormatter("capture", style) for style in ("text", "json")}
    leaks = []
    for url, secrets in planted(10_000, seed=1):
        text = f"Error opening input {url!r}: Connection refused"
        record = logging.LogRecord("x", logging.WARNING, "", 0, "%s: %s; reconnecting", (url, text), None)
        ways = [redact_url(url), redact(text), *(each.format(record) for each in formatter.values())]
        leaks += [(way, secrets[0]) for way in ways if leaked(way, secrets)]
        assert json.loads(ways[-1])["stage"] == "capture"
    assert not leaks, f"{len(leaks)}: {leaks[:5]}"


def test_none_of_five_thousand_secrets_leaves_by_a_text_of_a_library() -> None:
    shown = [(redact(text), secrets) for text, secrets in planted_texts(5_000, seed=4)]
    leaks = [text for text, secrets in shown if leaked(text, secrets)]
    assert not leaks, f"{len(leaks)}: {leaks[:5]}"
    assert all(redact(text) == text for text, _ in shown), "masked twice"


def test_masked_url_keeps_its_host_and_is_not_masked_twice() -> None:
    for url, _ in planted(500, seed=2):
        shown = redact_url(url)
        assert redact_url(shown) == shown
        assert any(host in shown for host in ("192.168.1.64", "cdn.example", "proxy", "youtube", "facebook", "twitch"))


@pytest.mark.parametrize("url", HARMLESS.split())
def test_url_without_credentials_stays_as_it_is(url: str) -> None:
    assert redact_url(url) == url or url.startswith(("ipc:", "file:", "/", "recording:"))  # which are paths of this machine
    assert redact(f"camera 'front' ({url}): connected") == f"camera 'front' ({url}): connected"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("login joe:secret@10.0.0.5 failed", "login joe:***@10.0.0.5 failed"),
        ("password=secret; retry", "password=***; retry"),
        ("Authorization: Basic am9lOnNlY3JldA==", "Authorization: ***"),
        ("rtsp://joe:secret@cam/x: no answer", "rtsp://joe:***@cam/x: no answer"),
        ("/home/joe/token=abc/x.mp4 is no video", "/home/joe/token=***/x.mp4 is no video"),
        ("camera.local:554/stream@main failed", "camera.local:554/stream@main failed"),
        ('{"password": "", "port": 554}', '{"password": "", "port": 554}'),
        ('{"password": "a, b", "port": 554}', '{"password": "***", "port": 554}'),
        ("rtsp://front:8554 is back, mail joe@example.com", "rtsp://front:8554 is back, mail joe@example.com"),
        ("two_pass=1.mp4, wrong password: see the docs", "two_pass=1.mp4, wrong password: see the docs"),
        ("Open the link with its token: remi-stream view", "Open the link with its token: remi-stream view"),
        ("metrics at `http://127.0.0.1:7720/metrics`.", "metrics at `http://127.0.0.1:7720/metrics`."),
        ("17:03:21 pose     12 bodies @ 30 fps", "17:03:21 pose     12 bodies @ 30 fps"),
        ("Set username and password_env or password_file", "Set username and password_env or password_file"),
    ],
)
def test_text_is_masked_where_it_has_credentials(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_error_of_ffmpeg_and_its_traceback_are_masked() -> None:
    url = "http://joe:s3cret-Pa55@127.0.0.1:9/x?token=s3cret-Pa55"
    with pytest.raises(av.FFmpegError, match="s3cret") as caught:
        av.open(url)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "crashed: %s", (caught.value,), caught._excinfo)
    for style in ("text", "json"):
        assert "s3cret" not in LogFormatter("capture", style).format(record)


def test_errors_about_urls_show_no_planted_secret() -> None:
    for url, secrets in planted(500, seed=3):
        broken = url.replace("://", "x://", 1)
        with pytest.raises(UsageError) as caught:
            check_camera_url(broken)
        assert not leaked(str(caught.value), secrets)


def code_strings() -> Iterator[str]:
    """All strings of the package; an f-string with 1 for each of its values."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_links_in_our_own_messages_stay_as_they_are() -> None:
    links = {link for text in code_strings() for link in re.findall(r"https?://[^\s'\"]+", text)}
    assert len(links) > 5
    assert {link: redact(link) for link in links if "token=" not in link and redact(link) != link} == {}


def test_source_of_every_model_stays_as_it_is() -> None:
    messages = [missing_file_hint(file) for file in model_files_by_name().values()]
    messages += [manual_download_hint(file.wheel) for file in model_files_by_name().values() if file.wheel]
    messages += [manifest.what + manifest.licence for manifest in list_manifests()]
    assert sum("Get it from http" in message for message in messages) > 5
    assert [redact(message) for message in messages] == messages


def test_source_of_a_manifest_of_the_user_stays_as_it_is(tmp_path: Path) -> None:
    link = "https://models.example/zNQkxwT7/InstantHMR-x7Kq9Zt2"
    assert redact(link) != link
    text = (shipped_folder("engines") / "smpl.toml").read_text().replace("https://smpl.is.tue.mpg.de", link)
    (tmp_path / "mine.toml").write_text(text)
    read_manifest(tmp_path / "mine.toml")
    assert redact(f"Get it from {link}, then:") == f"Get it from {link}, then:"


@pytest.mark.parametrize(
    "link",
    [
        f"https://huggingface.co/mohamdev/InstantHMR/resolve/main/{SHA256}.onnx?download=true",
        f"https://github.com/mohamdev/InstantHMR/blob/{SHA1}/README.md#How-2-Export",
        f"https://files.pythonhosted.org/packages/3a/7f/{SHA256[:60]}/mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
        f"https://files.pythonhosted.org/packages/x.whl#sha256={SHA256}",
        "https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html#requirements",
    ],
)
def test_link_to_a_site_without_cameras_stays_as_it_is(link: str) -> None:
    assert redact(f"(see {link})") == f"(see {link})"


def test_login_and_query_of_such_a_link_are_masked() -> None:
    assert redact("https://joe:pw7@github.com/x") == "https://joe:***@github.com/x"
    assert redact("https://github.com/mohamdev/InstantHMR?token=abc") == "https://github.com/mohamdev/InstantHMR?token=***"
    assert redact("https://github.com.evil.example/zNQkxwT7") == "https://github.com.evil.example/***"


@pytest.mark.parametrize(
    "unit",
    [
        "a:",
        "a.",
        "a-",
        "a=",
        "a:,",
        "a:@",
        "%3a",
        "://",
        "http://",
        "h://a:b c",
        "password=",
        "pass:'",
        "--pass ",
        "x-",
        "/",
        "file:/",
    ],
)
def test_time_grows_no_faster_than_the_line(unit: str) -> None:
    def cpu_s(length: int) -> float:
        text, times = "a@b = " + (unit * length)[:length], []
        for _ in range(5):
            before = time.process_time()
            redact(text)
            times.append(time.process_time() - before)
        return min(times)

    assert cpu_s(16_000) < 3 * cpu_s(8_000) + 0.005


def test_rest_of_a_long_line_is_cut_between_words() -> None:
    line = "x " * 8_185 + "rtsp://joe:" + "s3cret" * 4 + "@cam/x is not there"
    shown = redact(f"first: a line\n{line}")
    assert "s3" not in shown
    assert shown.startswith("first: a line\nx x ")
    assert shown.endswith("x ... (55 more characters)")
    assert "more characters" not in redact("x " * 10_000)
