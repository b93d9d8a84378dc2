"""The pieces of an SVG drawing that takes the colours of its page."""

from collections.abc import Sequence
from html import escape

# Each has a contrast of 3:1 or more with white and with the dark page (WCAG 2.2, 1.4.11); a test
# measures it. A page may set --readout-1 and so on.
PALETTE = ("#2e86d9", "#d9650f", "#16946c", "#b360d0", "#8a8a3c", "#8a8f98")
# What covers what lies behind it. Outside our pages, Canvas is the background that a browser has.
PAGE = "var(--md-default-bg-color,Canvas)"
DASHES = ("none", "8 4", "2 4", "10 3 2 3", "5 5", "1 3")
# At 345 px, a phone's column, 460 units of width make 15 units of type 11 px high.
WIDTH = 460
FONT = 15
ROW = 20


def colour(index: int) -> str:
    index %= len(PALETTE)
    return f"var(--readout-{index + 1},{PALETTE[index]})"


def hover(said: str) -> str:
    return f"<title>{escape(said)}</title>"


def text(
    content: str, x: float, y: float, anchor: str = "start", transform: str | None = None
) -> str:
    turned = {"transform": transform} if transform else {}
    anchored = {} if anchor == "start" else {"text_anchor": anchor}
    return tag("text", escape(content), x=x, y=y, **anchored, **turned)


def path(points: Sequence[tuple[float, float]]) -> str:
    """Straight lines through the points; after M, SVG reads every further pair as a line."""
    return "M" + " ".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points)


def tag(name: str, content: str = "", **attributes: float | str) -> str:
    written = "".join(
        f' {key.replace("_", "-")}="{value if isinstance(value, str) else coordinate(value)}"'
        for key, value in attributes.items()
        if value != "none" or key == "fill"
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def coordinate(value: float) -> str:
    """Rounded, so that the last bits of a float do not change the bytes."""
    return (
        f"{value:.2f}".rstrip("0").rstrip(".")
        if abs(value) < 1
        else f"{value:.1f}".removesuffix(".0")
    )


def number(value: float) -> str:
    """Three significant digits, without an exponent for everyday sizes."""
    if value and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.2e}"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{float(f'{value:.3g}') + 0.0:g}"
