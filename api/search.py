"""What of a page goes into the search index.

The index plugin divides a page at its headings and keeps paragraphs, lists and code. It is given
the words alone: no pictures, no controls, no lists that the site generates, no keys.
"""

import re

from api.tags import INSIDE, outside

_LEFT_OUT = re.compile(
    "<(?P<element>button|clipboard-copy|figure|math|noscript|script|select|style|svg|template)"
    rf"\b{INSIDE}>"
    rf"|<(?P<marked>[a-z][\w-]*)(?=\s){INSIDE}\bdata-search-exclude\b{INSIDE}>"
    rf'|<(?P<sign>a) class="headerlink"{INSIDE}>',
    re.I,
)
_COMMENT = re.compile("<!--.*?-->", re.S)
_WITHIN_WORDS = re.compile(
    rf"</?(?:a|abbr|b|del|em|i|ins|kbd|mark|q|s|small|span|strong|u|var)\b(?!-){INSIDE}>"
)
_ANY_OTHER = re.compile(
    rf"</?(?!(?:h[1-6]|p|li|ol|ul|code|pre|sub|sup)\b(?!-))[a-z]{INSIDE}>", re.I
)
_QUESTION = re.compile(
    r'<section class="question" id="(?P<id>[^"]+)".*?<legend>\s*<p>(?P<asked>.*?)</p>', re.S
)


def searchable(html: str) -> str:
    """The words of a page under its headings; a question of a quiz counts as a heading."""
    html = _QUESTION.sub(r'<h2 id="\g<id>">\g<asked></h2>', _COMMENT.sub("", html))
    html = "".join(html[start:end] for start, end in outside(html, _LEFT_OUT))
    # The end of a block parts two words, the end of emphasis does not.
    return _ANY_OTHER.sub(" ", _WITHIN_WORDS.sub("", html)).strip()
