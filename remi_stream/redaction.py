"""Credentials are masked in every text that leaves a process: log lines, errors, status, file metadata.

Masked is what looks like a credential, not a list of known places: manufacturers put passwords and tokens anywhere into a URL. So
of a path or query stays only what reads like a name, a channel or a setting; a value of an unknown parameter stays only if it is
made of known words and short numbers. A mask too many costs a little reading, a mask too few costs a camera. Links to sites that
have no cameras, and to a model's source, are for the user to open: they stay whole.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote

MASK = "***"
MAX_DECODING = 5
"""Times that a part is percent-decoded: URLs nest."""
MIN_RANDOM_LENGTH = 8
"""Characters of a path part that do not read like words, from which on it counts as a token."""
MAX_LINE = 16_384
"""Characters of a line in which credentials are looked for."""
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
_SHORT_NAME = re.compile(r"[A-Z]?[a-z]*\d*|[A-Z]+\d*")
_UNSPEAKABLE = re.compile(r"(?i:[bcdfghjklmnpqrstvwxz]{5})|[A-Z]{8}")
_GROUPS = re.compile(r"(?i)[a-z0-9]{4,5}(-[a-z0-9]{4,5}){2,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SIGNS = re.compile(r"[@:=]|%3|--|(?i:bearer|-pass|-pw|-token)")
"""A line without any of these has no credentials."""
_ADDRESS = re.compile(r"(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.%]+\]|localhost|[\w\-]+(\.[\w\-]+)+):\d{1,5}(?=[/?#]|$)")
_SHORT_ADDRESS = re.compile(r"[\w\-]+:\d{1,5}/")
"""Host and port, unless another host follows an @: then it may be a login."""
_HOST = re.compile(r"\[|\d|localhost|[\w\-]+(\.[\w\-]+|:\d)")
_SECRET_PART = re.compile(r"(?i)(\w+[_-])?(pass(word|wd|phrase|code)|pwd|psw|pw)")
"""A part of a path that says that the next one is a password."""
_TOKEN_PART = re.compile(
    r"(?i)(\w+[_-])?(pass|auth|session|secret|ticket|sig|signature|sid|credentials?|((access|api|auth|session|stream)?(token|key)))"
)

# Groups that could match at every character have bounds or a fixed beginning: a line of 16 kB takes no longer than its parts.
_LOGIN_WITH_BLANK = r"""(?:[^\s/?#@:\['"]{0,64}:(?!\d{1,5}(?:[^\w@]|$))[^\s@/'"<>][^\n@/'"<>]{0,128}@(?=[\w\[]))?"""
_URL = re.compile(
    r"(?<![A-Za-z0-9+.\-])(?!(?i:ipc|file|inproc|unix)://)[A-Za-z0-9+.\-]+:/{2,3}"
    rf"{_LOGIN_WITH_BLANK}(?=[^\s/])\S*[^\s.,:;!?'\"`()\[\]{{}}<>]"
)
_LOGIN = re.compile(
    r"""(?<![^\s'"(\[{<=,;|])((?://)?[\w.%+\-]{1,64}?)(:|%3[aA])(?!\d{1,5}/|/[\w.\-]*/)(\S{1,512})@(?=[\w\[])""",
)
_KEY = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|psw|secret|token|(?:api|stream|access|secret)[_-]?key|authbasic"
    r"|(?<![A-Za-z0-9])(?:pass|pw|auth))"
)
_QUOTED = r"""[bru]?(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\\"(?:(?!\\").)*(?:\\")?|\([^)]*\)?|\[[^\]]*\]?)"""
_PAIR = re.compile(
    rf"""(?i)(?<!//)(?P<key>{_KEY}(?:\\?["'])?\s{{0,3}}(?:=>?|:(?!//)|%3d)\s{{0,3}})(?P<value>{_QUOTED}|[^\s&;,'"]+)"""
    r"""|(?<![^\s'"(=,\[])(?P<path>(?:file:(?://)?|[a-z]{2,12}:|~|\.{1,2})?/(?!/)[^\s'"?&]*)"""
)
_SHORT_NUMBER = r"\d{1,2}(?:\.\w{1,4})?(?!\w)"
_PATH_PAIR = re.compile(rf"(?i)({_KEY}(?:=|:|%3d))(?!{_SHORT_NUMBER})[^/;,)]+")
"""In the path of a file; two_pass=1.mp4 is none."""
_NO_PAIR = re.compile(
    rf"""(?i)pass\s*[=:]\s*{_SHORT_NUMBER}.*|[^:"']+:\s+(?:a|an|give|is|must|no|not|open|put|see|set|the|use)"""
    r"""|(?:token|auth)[^:"']*:\s+(?-i:[a-z][a-z\-]{0,14})"""
)
"""The pass of an encoder, and prose: wrong password: see the docs."""
_OPTION = re.compile(rf"""(?i)(?<![\w-])(--?(?:[\w-]{{1,30}}[_-])?{_KEY}["']?,?\s{{1,3}})(?![-(\[])({_QUOTED}|\S+)""")
_HEADER = re.compile(
    r"""(?i)((?:authorization|(?<![\w-])(?:set-)?cookie|(?<![\w-])x-[\w-]{0,40}(?:key|token|auth|secret|session)[\w-]{0,40})"""
    r"""(?:\\?["'])?\s{0,3}[:=]\s{0,3}).+|(\bbearer )\S{8,}"""
)


def printable(text: str) -> str:
    """A text as one line without control characters, which could steer a terminal: "two\\nlines", "\\x1b[2J"."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def redact(text: str) -> str:
    """Mask the credentials in a text: those of its URLs, logins before an @, parameters such as password=, HTTP headers.

    Of a line longer than `MAX_LINE` with anything like that the rest is cut.
    """
    return "\n".join(_redact_line(line) if _SIGNS.search(line) else line for line in text.split("\n"))


def _redact_line(line: str) -> str:
    text = line
    if len(line) > MAX_LINE:  # between words: half a URL does not look like one with a password
        text = line[:MAX_LINE].rpartition(" ")[0]
    rest = f" ... ({len(line) - len(text)} more characters)" if text != line else ""
    text = _URL.sub(lambda found: _redact_url_in_text(found[0]), text)
    text = _LOGIN.sub(rf"\1\2{MASK}@", text)
    text = _PAIR.sub(_redact_pair, text)
    text = _OPTION.sub(lambda found: found[1] + _mask_as(found[2]), text)
    return _HEADER.sub(lambda found: f"{found[1] or found[2]}{MASK}", text) + rest


def _redact_pair(found: re.Match[str]) -> str:
    if found["path"]:
        return _PATH_PAIR.sub(rf"\1{MASK}", found["path"])
    if _NO_PAIR.fullmatch(found[0]):
        return found[0]
    return found["key"] + _mask_as(found["value"])


def _mask_as(value: str) -> str:
    """The mask, in the quotes of a value; an empty value stays."""
    quotes = re.match(r"""[bru]?(\\?["'])|""", value)
    assert quotes
    if not quotes[1]:
        return MASK
    is_empty = value == quotes[0] + quotes[1]
    return value if is_empty else f"{quotes[0]}{MASK}{quotes[1]}"


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
    if not is_login or _ADDRESS.match(rest) or (_SHORT_ADDRESS.match(rest) and not _HOST.match(tail)):
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
    shown, is_strict, previous = [], False, ""
    for delimiter, part in re.findall(r"([/?#&;,]*)([^/?#&;,]*)", tail):
        is_strict = is_strict or "?" in delimiter or "#" in delimiter
        if part and delimiter == "/" and _names_secret(previous, part):
            redacted, has_secret = MASK, True
        else:
            redacted, has_secret = _redact_part(part, is_strict)
        previous = part
        is_strict = is_strict or has_secret  # a value that is not percent-encoded may contain the delimiter
        shown.append(delimiter + redacted)
    return "".join(shown)


def _names_secret(part: str, following: str) -> bool:
    """Whether a part of a path says that the one after it is a secret: /password/x."""
    name = _decoded(part)
    return bool(_SECRET_PART.fullmatch(name) or (_TOKEN_PART.fullmatch(name) and not _is_plain(_decoded(following))))


def _redact_part(part: str, is_strict: bool) -> tuple[str, bool]:
    """One part of a path or query, masked, and whether anything was."""
    decoded = _decoded(part)
    if "://" in decoded or ":" in decoded.rpartition("@")[0]:
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


@lru_cache(1024)
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
    mixed = [run for run in runs if len(run) <= 5 and not _SHORT_NAME.fullmatch(run)]
    return sum(map(len, odd)) >= MIN_RANDOM_LENGTH or len(mixed) >= 3


def _without_words(text: str) -> str:
    return _SHORT_WORD.sub(" ", _WORD.sub(" ", _SIZE_OR_TIME.sub(" ", text)))
