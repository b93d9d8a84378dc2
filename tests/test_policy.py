"""What a built page says it may run."""

import base64
import hashlib
from pathlib import Path

from api.guard import Guard
from api.policy import NO_INLINE, protect, said_by
from api.settings import Settings

CONTENT = "<p>A text.</p><script>steal()</script>"
PAGE = (
    '<!doctype html><head><meta charset="utf-8"><script src="a.js"></script>'
    '<script>__md_scope=new URL("../..",location),start()</script></head>'
    f'<body>{CONTENT}<script type="application/json">{{"base": ".."}}</script>'
    "<script>palette()</script></body>"
)


def digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def policy_of(html: str, tmp_path: Path) -> str:
    (tmp_path / "404.html").write_text(html)
    return said_by(tmp_path / "404.html")


def test_a_page_runs_what_the_theme_puts_into_it_and_nothing_of_its_content(tmp_path: Path):
    policy = policy_of(protect(PAGE, CONTENT, "/group/"), tmp_path)

    assert digest("palette()") in policy
    assert digest("steal()") not in policy
    assert "unsafe" not in policy
    assert policy.endswith("object-src 'none'; base-uri 'none'")
    roots = (".", "..", "../..", "../../..", "/group/")
    scripts = {*(f'__md_scope=new URL("{root}",location),start()' for root in roots), "palette()"}
    assert policy.count("sha256-") == len(scripts)
    assert all(digest(script) in policy for script in scripts)


def test_pages_in_different_folders_say_the_same(tmp_path: Path):
    """Instant navigation leaves the first page's policy in force."""
    other = PAGE.replace('"../.."', '"."')

    assert policy_of(protect(PAGE, CONTENT, "/"), tmp_path) == policy_of(
        protect(other, CONTENT, "/"), tmp_path
    )


def test_the_policy_stands_before_the_first_script():
    html = protect(PAGE, CONTENT, "/")

    assert html.index("Content-Security-Policy") < html.index("<script")
    assert html.index("Content-Security-Policy") < 1024


def test_the_service_says_what_the_pages_say(tmp_path: Path):
    (tmp_path / "404.html").write_text(protect(PAGE, CONTENT, "/"))
    said = Guard(None, Settings(site_dir=tmp_path)).of_site[b"content-security-policy"].decode()
    bare = Guard(None, Settings(site_dir=tmp_path / "none")).of_site[b"content-security-policy"]

    assert said_by(tmp_path / "404.html") in said
    assert "'sha256-" in said
    assert NO_INLINE in bare.decode()
    for policy in (said, bare.decode()):
        assert "script-src 'self' 'unsafe-inline'" not in policy
        assert "frame-ancestors 'none'" in policy
