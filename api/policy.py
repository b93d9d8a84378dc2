"""What a page of the site may run: scripts of its origin, and those that the theme puts into it.

Each page says so itself, so that it holds wherever the site is served. All pages say the same:
with instant navigation the policy of the first one stays in force on those that follow.
"""

import base64
import hashlib
import re
from functools import lru_cache
from html import escape, unescape
from pathlib import Path

# The theme tells each page by a script where the root of the site is, as seen from it.
_ROOT = re.compile(r'(?<=__md_scope=new URL\(")[^"]*(?=",location\))')
ROOTS = (".", "..", "../..", "../../..")
_INLINE = re.compile(
    r"<script\b(?![^>]*\b(?:src=|application/json))[^>]*>(.*?)</script>", re.DOTALL
)
_SAID = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')
_FIRST = '<meta charset="utf-8">'  # of which the browser wants to know at once
_BASE = "object-src 'none'; base-uri 'none'"
NO_SCRIPT = f"script-src 'none'; {_BASE}"
NO_INLINE = f"script-src 'self'; {_BASE}"


def protect(html: str, content: str, base_path: str) -> str:
    """A page that says what it may run. Scripts that stand in its `content` are not of the theme.

    `base_path` is that of the site's address: the page of what is not there names its root so.
    """
    scripts = _INLINE.findall(html.replace(content, "", 1) if content else html)
    hashes = {found for script in scripts for found in _hashes(script, base_path)}
    sources = " ".join(["'self'", *sorted(hashes)])
    return with_policy(html, f"script-src {sources}; {_BASE}")


def with_policy(html: str, policy: str) -> str:
    said = f'<meta http-equiv="Content-Security-Policy" content="{escape(policy, quote=False)}">'
    return html.replace(_FIRST, _FIRST + said, 1)


def said_by(page: Path) -> str:
    """The policy that a built page says; nothing inline may run where it says none."""
    found = _SAID.search(page.read_text("utf-8")) if page.is_file() else None
    return unescape(found[1]) if found else NO_INLINE


@lru_cache(64)
def _hashes(script: str, base_path: str) -> frozenset[str]:
    """Of a script that names the root of the site, as on every page."""
    texts = {script}
    if _ROOT.search(script):
        texts |= {_ROOT.sub(root, script) for root in (*ROOTS, base_path)}
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return frozenset(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
