"""Skip-trigrams, "A ... B, then C": read off the weights of one attention layer, found in a text.

Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits", one-layer models.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from demos.toys import AttentionOnly
from demos.weights import full_ov, full_qk


def skip_trigram_effects(
    model: AttentionOnly, shares: Float[Tensor, " token"]
) -> Float[Tensor, "destination source output"]:
    """What one `source` somewhere before `destination` adds to the logit of `output`, all heads.

    Read from the QK and OV tables alone: positions are left out, and the other tokens of a full
    context are taken to be average ones, drawn with `shares`. A logit means something only beside
    others, so each row has mean 0.
    """
    weight = full_qk(model, 0).exp()  # (head, destination, source)
    ov = full_ov(model, 0)
    ov = ov - ov.mean(dim=-1, keepdim=True)
    of_average = weight @ shares  # (head, destination)
    attention = weight / (weight + (model.n_ctx - 2) * of_average[..., None])
    displaced = torch.einsum("hbs,hso->hbo", weight * shares / of_average[..., None], ov)
    gained = torch.einsum("hbs,hso->bso", attention, ov)
    return gained - torch.einsum("hbs,hbo->bso", attention, displaced)


def strongest_trigrams(
    effects: Float[Tensor, "destination source output"], allowed: Bool[Tensor, " token"], n: int
) -> Int[Tensor, "n 3"]:
    """The (source, destination, output) with the largest effects among `allowed` tokens."""
    size = len(allowed)
    among = allowed[:, None, None] & allowed[:, None] & allowed
    order = effects.masked_fill(~among, -torch.inf).flatten().topk(n).indices
    return torch.stack([order // size % size, order // size**2, order % size], dim=1)


def seen_before(
    tokens: Int[Tensor, " position"], d_vocab: int, reach: int
) -> Bool[Tensor, "position token"]:
    """Whether each token stands among the `reach` positions before each position."""
    seen = torch.zeros(len(tokens), d_vocab, dtype=torch.bool)
    for back in range(1, min(reach, len(tokens) - 1) + 1):
        seen[torch.arange(back, len(tokens)), tokens[:-back]] = True
    return seen


def count_trigrams(
    trigrams: Int[Tensor, "n 3"], tokens: Int[Tensor, " position"], d_vocab: int, reach: int
) -> tuple[Float[Tensor, " used"], Float[Tensor, " used"]]:
    """How often C follows B with A among the `reach` tokens before, and how often that was to come.

    To come: as often as C follows B without A. Only trigrams whose B stands in the text both with
    and without A are used. Returns observed and expected counts, one of each a trigram.
    """
    seen = seen_before(tokens, d_vocab, reach)[:-1]
    current, following = tokens[:-1], tokens[1:]
    observed, expected = [], []
    for source, destination, output in trigrams.tolist():
        here = current == destination
        followed = following[here] == output
        with_source = seen[here, source]
        if with_source.any() and not with_source.all():
            observed.append(followed[with_source].sum())
            expected.append(with_source.sum() * followed[~with_source].double().mean())
    if not observed:
        return torch.zeros(0), torch.zeros(0)
    return torch.stack(observed).double(), torch.stack(expected)
