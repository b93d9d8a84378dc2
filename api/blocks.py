"""A Markdown extension: our elements are blocks of their own, with no paragraph around them."""

from typing import Any

from markdown import Markdown
from markdown.extensions import Extension

ELEMENTS = ("readout-quiz", "readout-notes", "readout-join", "readout-me", "readout-member")


class Blocks(Extension):
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  the name that is called
        md.block_level_elements.extend(ELEMENTS)


def makeExtension(**options: Any) -> Blocks:  # noqa: N802
    return Blocks(**options)
