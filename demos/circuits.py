"""Circuits: edges of a model that do alone what the model does, and ways to find and judge them.

What belongs together, from the modules that have it: the graph (`demos.edge_graph`), runs with cut
edges (`demos.edge_runs`), a circuit as a value (`demos.circuit`), ACDC (`demos.acdc`), EAP and
EAP-IG (`demos.edge_attribution`), the three criteria of a circuit (`demos.faithfulness`, for heads
at positions with `demos.knockouts`), ROC curves (`demos.roc`) and a picture
(`demos.circuit_figure`).
"""

from demos.acdc import Acdc, acdc, falling, kl_divergence, threshold_sweep
from demos.circuit import Ablated, Circuit
from demos.circuit_figure import circuit_figure
from demos.edge_attribution import edge_attribution, edge_effects, node_scores
from demos.edge_graph import Edge, EdgeGraph, parse_edge
from demos.edge_runs import EdgeRuns
from demos.faithfulness import (
    completeness,
    faithfulness,
    greedy_set,
    minimality,
    random_circuits,
    random_subsets,
    without_each_class,
)
from demos.knockouts import Knockouts, head_outputs, head_parts, mean_head_outputs
from demos.roc import auc_of_points, auc_of_scores, rates, roc_of_scores

__all__ = [
    "Ablated",
    "Acdc",
    "Circuit",
    "Edge",
    "EdgeGraph",
    "EdgeRuns",
    "Knockouts",
    "acdc",
    "auc_of_points",
    "auc_of_scores",
    "circuit_figure",
    "completeness",
    "edge_attribution",
    "edge_effects",
    "faithfulness",
    "falling",
    "greedy_set",
    "head_outputs",
    "head_parts",
    "kl_divergence",
    "mean_head_outputs",
    "minimality",
    "node_scores",
    "parse_edge",
    "random_circuits",
    "random_subsets",
    "rates",
    "roc_of_scores",
    "threshold_sweep",
    "without_each_class",
]
