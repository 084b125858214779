"""A body's text: in the charset that it names, or not at all. By a wrong guess assertions would hold by luck."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s"';,>]{1,40})""", re.IGNORECASE)
# What HTML and XML say of themselves stands within their first kilobyte.
_META = re.compile(
    rb"""<(?:meta|\?xml)[^>]{0,500}?(?:charset|encoding)\s*=\s*["']?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE
)
# Codecs of Python that are no charset of any text on the web, and some of them slow.
_NO_CHARSET = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"}


class NoText(Exception):
    """The body is no text in the charset that it names; the text says which, as `is …`."""


def charset_of(content_type: str) -> str:
    """Return the charset that a Content-Type names, or an empty text."""
    found = _CHARSET.search(content_type)
    return found[1] if found else ""


def text_of(body: bytes, content_type: str) -> str:
    """Return the whole body as text; raise NoText when it is none.

    A byte order mark wins over Content-Type, that over what HTML or XML says of itself, and without all of them it
    is UTF-8.
    """
    mark, charset = _charset(body, content_type)
    codec = codec_of(charset)
    if not codec:
        raise NoText(f"in the charset {charset!r}, which is not known")
    try:
        return body[mark:].decode(codec)
    except (UnicodeError, LookupError) as error:
        raise NoText(f"no text in {codec.upper()}") from error


def start_of(body: bytes, content_type: str, size: int) -> str:
    """Return the text of the first bytes of a body, to be shown; what is no text in it is replaced."""
    mark, charset = _charset(body, content_type)
    return body[mark : mark + size].decode(codec_of(charset) or "utf-8", errors="replace")


def _charset(body: bytes, content_type: str) -> tuple[int, str]:
    """Return the length of the byte order mark, and the name of the charset."""
    for mark, charset in _MARKS:
        if body.startswith(mark):
            return len(mark), charset
    charset = charset_of(content_type)
    if not charset:
        meta = _META.search(body[:1024])
        charset = meta[1].decode("ascii") if meta else "utf-8"
    return 0, charset


@lru_cache(maxsize=256)
def codec_of(charset: str) -> str:
    """Return Python's name of a charset, or an empty text when there is no such one."""
    try:
        name = codecs.lookup(charset).name
        # Python has codecs that are no text encoding; those cannot do this.
        "a".encode(name)
    except (LookupError, ValueError):
        return ""
    return "" if name.replace("_", "-") in _NO_CHARSET else name
