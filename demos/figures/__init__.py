"""Figures as inline SVG that takes the page's colours, with the numbers behind them in a table.

Text and axes are drawn in `currentColor`, so a figure reads in light and in dark; series differ in
colour, dash and mark. Nothing here needs a script, a font or a file from anywhere. The same numbers
give the same bytes.
"""

from demos.figures.columns import bars, distribution
from demos.figures.curves import line, scatter
from demos.figures.graphs import graph
from demos.figures.maps import attention, heatmap
from demos.figures.parts import Figure, Series
from demos.figures.svg import PALETTE, WIDTH

__all__ = [
    "PALETTE",
    "WIDTH",
    "Figure",
    "Series",
    "attention",
    "bars",
    "distribution",
    "graph",
    "heatmap",
    "line",
    "scatter",
]
