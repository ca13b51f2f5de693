"""Credentials are masked in every text that leaves a process: log lines, errors, status, file metadata.

Masked is what looks like a credential, not a list of known places: manufacturers put passwords and tokens anywhere into a URL. So
of a path or query stays only what reads like a name, a channel or a setting; a value of an unknown parameter stays only if it is
made of known words and short numbers. A mask too many costs a little reading, a mask too few costs a camera. Links to sites that
have no cameras, and to a model's source, are for the user to open: they stay whole.
"""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import quote, unquote

MASK = "***"
MAX_DECODING = 5
"""Times that a part is percent-decoded: URLs nest."""
MIN_RANDOM_LENGTH = 8
"""Characters of a path part that do not read like words, from which on it counts as a token."""
MAX_WORD_LENGTH = 16
"""A run of letters and digits without known words that is this long counts as a token, whatever it looks like."""

SECRET_KEY = re.compile(
    r"pass|pwd|psw|pword|loginpas|secret|token|key|auth|sig|cred|hash|hmac|md5|sha\d*$|nonce|digest|sess|ticket|bearer|jwt|otp|cookie"
    r"|streamid|hdn|salt|(^|_)(pw|pin|code|sid|api|st|p|s)$"
)
"""Parameters whose value is always masked, in lower case without other signs."""
OPEN_KEYS = frozenset(
    re.findall(
        r"\w+",
        """app audio audiocodec bitrate cam camera cameraid ch channel chn clock cmd action codec compression date
        endtime exp expires format fps framerate gop height id idc ids index interlaced keyframe keyint lang latency
        login loginuse mirror mode name no num number path pktsize port profile profileid proto protocol ptype quality
        rate res resolution rotate rotation sessiontimeout size starttime stream streamtype subtype text time timeout
        track trackid transport transportmode ts type u unicast user username usr video videocodec view width""",
    )
)
"""Parameters whose value stays unless it looks like a token itself."""
WORDS = re.findall(
    r"\w+",
    """action admin audio axis base camera channel chunklist codec compression false frame front fluency garden gate
        guest h264 h265 hevc high home http https image index interleaved isapi jpeg kitchen live main media medium
        mjpeg mjpg mode monitor mpeg mpeg4 multicast nocookies normal null onvif options param picture play playlist
        preview profile proxy publish quality real realmonitor realstream recording resolution root rotate rtmp rtsp
        sample second secondary server settings snapshot socket sound status stream streaming substream swatch tcp
        third track transport true type unicast user video viewer volume""",
)
"""Words of camera URLs, also inside of a longer run: h264Preview."""
SHORT_WORDS = re.findall(
    r"\w+",
    "amp av bcs bin c cam cgi ch ext flv hd id img jpg low mp4 m3u8 no off on out s sd sdp smp smil sub ts ui udp vga web yes",
)
"""Shorter ones, which count only between other signs."""

LINK_HOSTS = re.findall(
    r"\S+",
    """arxiv.org debian.org docker.com download.pytorch.org ffmpeg.org freedesktop.org github.com githubusercontent.com
        gitlab.com gnu.org huggingface.co kernel.org man7.org mozilla.org mpg.de numpy.org nvidia.com onnx.ai onnxruntime.ai
        opencv.org pjreddie.com pypi.org python.org pythonhosted.org pytorch.org readthedocs.io scipy.org tiangolo.com ubuntu.com
        viser.studio w3.org wikipedia.org zenodo.org zeromq.org""",
)
"""Sites, with all below them, that have no cameras: the user needs their links whole, hashes and names included."""

_kept_links: set[str] = set()
_LINK_HOST = rf"(?:[\w\-]+\.)*?(?:{'|'.join(map(re.escape, LINK_HOSTS))})"
_LINK = re.compile(rf"(?i)https?://{_LINK_HOST}(/[\w.~+@,()\-]*)*(#((sha\d+|md5)=[0-9a-f]{{32,128}}|[\w.\-]*))?")
_WORD = re.compile("|".join(sorted(WORDS, key=len, reverse=True)), re.IGNORECASE)
_SHORT_WORD = re.compile(rf"(?<![a-z0-9])({'|'.join(SHORT_WORDS)})(?=\d{{0,3}}(?![a-z0-9]))", re.IGNORECASE)
_SIZE_OR_TIME = re.compile(r"\d{2,5}x\d{2,5}|20\d\d-?\d\d-?\d\d([T_-]?\d\d[-:]?\d\d[-:]?\d\dZ?)?", re.IGNORECASE)
_NAME = re.compile(r"[a-z]+\d{0,4}|[A-Z]{1,4}\d{0,4}|([A-Z]?[a-z]{2,}|[A-Z]{2,4}(?![a-z]))+\d{0,4}|\d{1,4}[a-z]{0,3}|\d{1,11}")
_UNSPEAKABLE = re.compile(r"(?i:[bcdfghjklmnpqrstvwxz]{5})|[A-Z]{8}")
_GROUPS = re.compile(r"(?i)[a-z0-9]{4,5}(-[a-z0-9]{4,5}){2,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ADDRESS = re.compile(r"(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.%]+\]|localhost):\d{1,5}(?=[/?#]|$)")
_URL = re.compile(r"(?!(?i:ipc|file|inproc|unix)://)\b[A-Za-z][A-Za-z0-9+.\-]*:/{2,3}(?=[^\s/])\S*[^\s.,:;!?'\"()\[\]{}<>]")
_LOGIN = re.compile(r"(?<![\w*])([\w.%+\-]+):([^\s@/]+)@(?=[\w\[])")
_PAIR = re.compile(
    r"(?i)\b((?:\w+[_-])?(?:pass(?:w(?:or)?d|phrase)?|pwd|psw|secret|token|api_?key|stream_?key|authbasic))(=|%3d)(?!\*\*\*)([^\s&;,'\"]+)"
)
_HEADER = re.compile(r"(?i)(authorization: ?).+|(\bbearer )\S{8,}")


def printable(text: str) -> str:
    """A text as one line without control characters, which could steer a terminal: "two\\nlines", "\\x1b[2J"."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def redact(text: str) -> str:
    """Mask the credentials in a text: those of its URLs, logins before an @, parameters such as password=, HTTP headers."""
    if not any(sign in text for sign in (":/", "@", "=", "uthoriz", "UTHORIZ", "earer", "%3")):
        return text
    text = _URL.sub(lambda found: _redact_url_in_text(found[0]), text)
    text = _LOGIN.sub(rf"\1:{MASK}@", text)
    text = _PAIR.sub(rf"\1\2{MASK}", text)
    return _HEADER.sub(lambda found: f"{found[1] or found[2]}{MASK}", text)


def keep_links(text: str) -> None:
    """Let this process show the http links of a text as they are, unless they have a login, port or query."""
    _kept_links.update(found[0] for found in _URL.finditer(text) if re.fullmatch(r"(?i)https?://[^:@?;=]+", found[0]))


def _redact_url_in_text(url: str) -> str:
    page, mark, query = url.partition("?")
    if url in _kept_links or _LINK.fullmatch(page):
        return page + _redact_tail(mark + query)
    return redact_url(url)


def redact_url(url: str) -> str:
    """Mask the credentials of one URL, which may be malformed and contain blanks: scheme, user, host, port and names stay."""
    scheme, slashes, rest = _partition_scheme(url)
    login, rest = _split_login(rest)
    host = re.match(r"[^/?#;&=]*", rest)
    assert host
    return f"{scheme}{slashes}{_redact_login(login)}{host[0]}{_redact_tail(rest[host.end() :])}"


def _partition_scheme(url: str) -> tuple[str, str, str]:
    found = re.match(r"(\s*[^:/?#@\s]*)(:/+)", url)
    return (found[1], found[2], url[found.end() :]) if found else ("", "", url)


def _split_login(rest: str) -> tuple[str, str]:
    """Split into "user:password@" and what follows. A password that is not percent-encoded may contain @, / and all else."""
    head, at, tail = rest.rpartition("@")
    is_login = at and (":" in head or "%3a" in head.lower() or not re.search(r"[/?#]", head))
    if not is_login or _ADDRESS.match(rest):
        return "", rest
    return head + at, tail


def _redact_login(login: str) -> str:
    """user:***@; a user without a password stays unless it looks like a token."""
    if not login:
        return ""
    user, colon, _ = login[:-1].partition(":")
    if not colon:  # which may be percent-encoded too
        user, colon, _ = _decoded(user).partition(":")
    return f"{MASK if _looks_random(_decoded(user)) else user}{f':{MASK}' if colon else ''}@"


def _redact_tail(tail: str) -> str:
    """Mask in path, query and fragment."""
    shown, is_strict = [], False
    for delimiter, part in re.findall(r"([/?#&;,]*)([^/?#&;,]*)", tail):
        is_strict = is_strict or "?" in delimiter or "#" in delimiter
        redacted, has_secret = _redact_part(part, is_strict)
        is_strict = is_strict or has_secret  # a value that is not percent-encoded may contain the delimiter
        shown.append(delimiter + redacted)
    return "".join(shown)


def _redact_part(part: str, is_strict: bool) -> tuple[str, bool]:
    """One part of a path or query, masked, and whether anything was."""
    decoded = _decoded(part)
    if "://" in decoded or re.search(r":.*@", decoded):
        key, url = re.match(r"([^=:/]*=)?(.*)", decoded, re.DOTALL).groups("")  # type: ignore[union-attr]
        redacted = redact_url(url)
        return (key + quote(redacted, safe="*") if redacted != url else part), redacted != url
    fields = _split_fields(decoded)
    if len(fields) == 1 and "=" not in decoded and ":" not in decoded:
        is_secret = not _is_plain(decoded) if is_strict else _looks_random(decoded)
        return (MASK, True) if is_secret else (part, False)
    redacted = "_".join(map(_redact_field, fields))
    return (redacted, True) if redacted != decoded else (part, False)


def _split_fields(part: str) -> list[str]:
    """Split user=admin_password=x_channel=1 at those keys that are known: a password may contain "_" and "="."""
    fields = [part]
    for found in reversed(list(re.finditer(r"_(?=([A-Za-z]+)=)", part))):
        if _is_secret_key(found[1]) or found[1].lower() in OPEN_KEYS:
            fields[:1] = [fields[0][: found.start()], fields[0][found.end() :]]
    return fields


def _redact_field(field: str) -> str:
    """key=value or name:value, with the value masked if it may be a secret."""
    key, sign, value = re.match(r"([^=:]*)([=:]*)(.*)", field, re.DOTALL).groups()  # type: ignore[union-attr]
    if not value or value == MASK:
        return field
    if _is_secret_key(key):
        return f"{key}{sign}{MASK}"
    name = MASK if _looks_random(key) else key
    is_open = "=" in sign and _plain_key(key) in OPEN_KEYS and "=" not in value and ":" not in value
    hidden = _looks_random(value) if is_open else not _is_plain(value)
    return f"{name}{sign}{MASK if hidden else value}"


def _plain_key(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


@cache
def _is_secret_key(key: str) -> bool:
    plain = _plain_key(key)
    return plain not in OPEN_KEYS and bool(SECRET_KEY.search(plain) or SECRET_KEY.search(key.lower()))


def _decoded(part: str) -> str:
    for _ in range(MAX_DECODING):
        once = unquote(part, errors="replace")
        if once == part:
            break
        part = once
    return part


def _is_plain(text: str) -> bool:
    """Whether a text is made of known words, numbers of up to three digits and image sizes only."""
    rest = _without_words(text)
    return not re.search(r"[^\w\s.\-~+*]", rest) and all(run.isdigit() and len(run) <= 3 for run in re.findall(r"[^\W_]+", rest))


def _looks_random(text: str) -> bool:
    """Whether a text is a token or password rather than a name: odd signs, or too much that does not read like words."""
    if text == MASK:
        return False
    if re.search(r"[^\w\s.\-~+*@()'|]", text) or _GROUPS.fullmatch(text):
        return True
    runs = re.findall(r"[A-Za-z0-9]+", _without_words(text))
    odd = [run for run in runs if len(run) >= MAX_WORD_LENGTH or _UNSPEAKABLE.search(run) or not _NAME.fullmatch(run)]
    return sum(map(len, odd)) >= MIN_RANDOM_LENGTH


def _without_words(text: str) -> str:
    return _SHORT_WORD.sub(" ", _WORD.sub(" ", _SIZE_OR_TIME.sub(" ", text)))
