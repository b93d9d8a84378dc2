"""TeX as MathML that is safe to show, whoever wrote it.

The converter copies what `\\text` holds into its markup, and turns `\\href` into an address: its
tree is taken, and written out again with the tags, attributes and characters that are allowed.
"""

from html import escape, unescape
from xml.etree.ElementTree import Element

LONGEST_TEX = 2_000  # characters

TAGS = {
    *("math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "mfrac", "msqrt", "mroot"),
    *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts"),
    *("mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose", "none"),
}
ATTRIBUTES = {
    *("accent", "accentunder", "columnalign", "columnlines", "columnspacing", "depth", "display"),
    *("displaystyle", "fence", "form", "frame", "height", "largeop", "linebreak", "linethickness"),
    *("lspace", "mathcolor", "mathsize", "mathvariant", "maxsize", "minsize", "movablelimits"),
    *("notation", "rowlines", "rowspacing", "rspace", "scriptlevel", "separator", "stretchy"),
    *("symmetric", "voffset", "width"),
}


class NotMath(ValueError):
    """It cannot be read as TeX, or not be shown."""


def mathml(tex: str, *, is_block: bool) -> str:
    """Raises NotMath."""
    # Imported where it is used: its table of symbols takes a tenth of a second.
    from latex2mathml.converter import convert_to_element

    if len(tex) > LONGEST_TEX:
        raise NotMath(f"a formula of {len(tex):,} characters; {LONGEST_TEX:,} is the most")
    try:
        return _written(convert_to_element(tex, display="block" if is_block else "inline"))
    except NotMath:
        raise
    except Exception as error:  # it raises what its parser stumbles over, or is too deep
        raise NotMath(f"not readable as TeX: {tex!r}") from error


def _written(element: Element) -> str:
    if element.tag not in TAGS:
        raise NotMath(f"no formula needs <{element.tag}>")
    attributes = "".join(
        f' {name}="{escape(unescape(value))}"'
        for name, value in element.attrib.items()
        if name in ATTRIBUTES
    )
    # Its text is partly references to characters, partly what was typed.
    text = escape(unescape(element.text or ""), quote=False)
    inside = text + "".join(map(_written, element))
    return f"<{element.tag}{attributes}>{inside}</{element.tag}>"
