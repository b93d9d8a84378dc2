"""Data of the explorer of attacks: every search at every step."""

from collections.abc import Mapping, Sequence
from typing import Any

from demos.attacks import Search
from demos.roc import auc_of_scores


def explorer_data(
    searches: Mapping[str, Search],
    *,
    asked: Sequence[str],
    texts: Sequence[str],
    plain_entropy: Sequence[float],
) -> dict[str, Any]:
    """What `<readout-lies>` reads.

    `asked`: what each prompt of a search is about. `texts`: what each token stands for.
    `plain_entropy`: of prompts that nobody attacked, to which those of each step are compared.
    Raises ValueError if a search has another number of prompts, or another number of steps.
    """
    steps = {len(found.slots) for found in searches.values()}
    if len(steps) != 1:
        raise ValueError(f"all searches have as many steps, not {sorted(steps)}")
    for name, found in searches.items():
        if len(found.wanted) != len(asked):
            raise ValueError(f"{name!r}: {len(found.wanted)} prompts, {len(asked)} are named")
    return {
        "steps": steps.pop() - 1,
        "asked": list(asked),
        "searches": [
            _search(name, found, texts, plain_entropy) for name, found in searches.items()
        ],
    }


def _search(
    name: str, found: Search, texts: Sequence[str], plain: Sequence[float]
) -> dict[str, Any]:
    return {
        "name": name,
        "reached": _spaced(100 * found.reached.float().mean(dim=1)),
        "auc": " ".join(str(round(100 * _auc(row.tolist(), plain))) for row in found.entropy),
        "prompts": [
            {
                "wanted": texts[int(token)].strip(),
                "read": _spaced(found.evaluations[:, n]),
                # A string a step, with tabs: as a list each field would get a line of the notebook.
                "steps": [
                    "\t".join(
                        (
                            "".join(texts[t] for t in found.slots[step, n].tolist()).strip(),
                            texts[int(found.says[step, n])].strip(),
                            f"{100 * found.log_prob[step, n].exp().item():.2g}",
                            f"{found.entropy[step, n].item():.1f}",
                            str(int(found.swaps[step, n])),
                        )
                    )
                    for step in range(len(found.slots))
                ],
            }
            for n, token in enumerate(found.wanted.tolist())
        ],
    }


def _auc(attacked: Sequence[float], plain: Sequence[float]) -> float:
    scores = {("attacked", n): value for n, value in enumerate(attacked)}
    scores |= {("plain", n): value for n, value in enumerate(plain)}
    return auc_of_scores(scores, [key for key in scores if key[0] == "attacked"])


def _spaced(values: Any) -> str:
    return " ".join(str(round(value)) for value in values.tolist())
