"""The reconstruction loss: what was decoded, moved by the group element, against the input.

With a valid permutation the comparison is made on the slots, with the input moved by g⁻¹ instead: a
permutation, a rotation and a translation change no term, and integers are cheaper to move than scores. A soft
permutation has no inverse, so there the decoded scores and positions are moved onto the nodes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from molae.batch.dense import DenseBatch
from molae.groups.action import GroupAction
from molae.ops import full_precision
from molae.registry import Config
from molae.types import Decoded


class LossConfig(Config):
    """Weights of the reconstruction loss.

    Attributes:
        position: Weight of the sum of distances, per Å, between decoded and true positions.
        numbers: Weight of the sum of deviations, per standard deviation, of continuous attributes.
        targets: Weight of what the summary is taught, where the graphs have targets.
        softening: Distance in Å, or deviation in standard deviations, below which these terms are quadratic.
    """

    position: float = 5.0
    numbers: float = 5.0
    targets: float = 10.0
    softening: float = 0.02


class Aligned(NamedTuple):
    """A decoded graph and its target, brought to a common order and pose.

    Attributes:
        decoded: Scores and positions.
        nodes: True categories.
        edges: True edge categories.
        pos: True positions in Å, or None.
        mask: True where there is a node.
        numbers: True continuous attributes of the nodes, in standard deviations, or None.
        edge_numbers: Those of the pairs, NaN where there is no edge, or None.
    """

    decoded: Decoded
    nodes: Int[Tensor, "b m k"]
    edges: Int[Tensor, "b m m"]
    pos: Float[Tensor, "b m 3"] | None
    mask: Bool[Tensor, "b m"]
    numbers: Float[Tensor, "b m q"] | None = None
    edge_numbers: Float[Tensor, "b m m p"] | None = None


@full_precision
def align(decoded: Decoded, action: GroupAction, batch: DenseBatch) -> Aligned:
    """Brings a decoded graph and the input to a common order and pose by the group element."""
    if action.is_hard:
        pos = None if batch.pos is None else action.canonical_positions(batch.pos)
        nodes, edges = action.canonical_nodes(batch.nodes), action.canonical_edges(batch.edges)
        numbers = None if batch.numbers is None else action.canonical_nodes(batch.numbers)
        edge_numbers = None if batch.edge_numbers is None else action.canonical_edges(batch.edge_numbers)
        return Aligned(decoded, nodes, edges, pos, batch.mask, numbers, edge_numbers)
    # Under mixed precision the scores come in less of it than the permutation.
    precision = action.permutation.dtype
    moved = Decoded(
        size_logits=decoded.size_logits,
        node_logits=tuple(action.nodes(scores.to(precision)) for scores in decoded.node_logits),
        edge_logits=action.edges(decoded.edge_logits.to(precision)),
        pos=None if decoded.pos is None else action.positions(decoded.pos),
        numbers=None if decoded.numbers is None else action.nodes(decoded.numbers.to(precision)),
        edge_numbers=None
        if decoded.edge_numbers is None
        else action.edges(decoded.edge_numbers.to(precision)),
    )
    return Aligned(moved, batch.nodes, batch.edges, batch.pos, batch.mask, batch.numbers, batch.edge_numbers)


def reconstruction_terms(
    aligned: Aligned, sizes: Int[Tensor, " b"], config: LossConfig
) -> dict[str, Float[Tensor, " b"]]:
    """Measures how far a decoded graph is from the input.

    Args:
        aligned: Decoded graph and target.
        sizes: True number of nodes.
        config: Weights.
    Returns:
        Weighted terms, one value for each graph: negative log-likelihoods of the number of nodes, of the node
        and edge categories (each pair once), summed; and the sums of the distances in Å and of the deviations
        of continuous attributes in standard deviations.
    """
    decoded, mask = aligned.decoded, aligned.mask
    terms = {
        "size": _cross_entropy(decoded.size_logits, sizes),
        "nodes": (_node_terms(decoded, aligned.nodes) * mask).sum(1),
        "edges": (_cross_entropy(decoded.edge_logits, aligned.edges) * _pairs(mask)).sum((1, 2)),
    }
    if decoded.pos is not None and aligned.pos is not None:
        square = (decoded.pos.to(aligned.pos.dtype) - aligned.pos).square().sum(-1)
        terms["positions"] = config.position * (_softened(square, config) * mask).sum(1)
    for name, square in _squares(aligned).items():
        deviation = _softened(square, config)
        terms[name] = config.numbers * deviation.flatten(1).sum(1)
    return terms


def number_errors(aligned: Aligned) -> dict[str, Float[Tensor, "b *m k"]]:
    """How far decoded continuous attributes are from the true ones, in standard deviations.

    Returns:
        `numbers` and `edge_numbers`, where the graphs have them: signed errors; NaN at padding, and where
        there is no edge. Each pair is there from both its nodes.
    """
    decoded, found = aligned.decoded, {}
    if decoded.numbers is not None and aligned.numbers is not None:
        error = decoded.numbers.to(aligned.numbers.dtype) - aligned.numbers
        found["numbers"] = error.masked_fill(~aligned.mask.unsqueeze(-1), torch.nan)
    if decoded.edge_numbers is not None and aligned.edge_numbers is not None:
        found["edge_numbers"] = decoded.edge_numbers.to(aligned.edge_numbers.dtype) - aligned.edge_numbers
    return found


def _squares(aligned: Aligned) -> dict[str, Float[Tensor, "b *m k"]]:
    """Squares of the errors of continuous attributes, 0 where there is none, each pair once."""
    found = {}
    for name, error in number_errors(aligned).items():
        if name == "edge_numbers":
            error = error.masked_fill(~_pairs(aligned.mask).unsqueeze(-1), torch.nan)
        # Replaced ahead of the square, through which the gradient of NaN would not be 0.
        found[name] = error.where(error.isfinite(), 0.0).square()
    return found


def _softened(square: Tensor, config: LossConfig) -> Tensor:
    """The root of a square, quadratic near 0, where its gradient is finite."""
    return (square + config.softening**2).sqrt() - config.softening


@torch.no_grad()
def node_costs(
    decoded: Decoded, action: GroupAction, batch: DenseBatch, config: LossConfig
) -> Float[Tensor, "b m m"]:
    """Cost of giving each node (row) to each slot (column): what the node terms of the loss would be."""
    costs = torch.zeros_like(batch.mask.unsqueeze(2) * batch.mask.unsqueeze(1), dtype=torch.float32)
    for channel, scores in enumerate(decoded.node_logits):
        log = scores.float().log_softmax(-1)
        index = batch.nodes[..., channel].unsqueeze(1).expand(-1, log.shape[1], -1)
        costs = costs - log.gather(2, index).transpose(1, 2)
    if (
        decoded.pos is not None
        and batch.pos is not None
        and action.rotation is not None
        and action.translation is not None
    ):
        moved = (batch.pos - action.translation.unsqueeze(1)) @ action.rotation
        costs = costs + config.position * torch.cdist(moved.float(), decoded.pos.float())
    if decoded.numbers is not None and batch.numbers is not None:
        costs = costs + config.numbers * torch.cdist(batch.numbers.float(), decoded.numbers.float(), p=1.0)
    return costs


def reconstruction_figures(aligned: Aligned, sizes: Int[Tensor, " b"]) -> dict[str, Tensor]:
    """Compares a decoded graph with the input, category by category.

    Returns:
        For each graph: `exact`, whether number of nodes, all categories and all edges agree; `nodes_exact`;
        `edges_exact`; `rmsd` in Å over all nodes, as posed by the group element; and `numbers_rmse` and
        `edge_numbers_rmse` of the continuous attributes, in standard deviations. NaN where there are none.
    """
    decoded, mask = aligned.decoded, aligned.mask
    right = torch.ones_like(mask)
    for channel, scores in enumerate(decoded.node_logits):
        right = right & (scores.argmax(-1) == aligned.nodes[..., channel])
    nodes_exact = (right | ~mask).all(1) & (decoded.size_logits.argmax(-1) == sizes)
    edges_exact = ((decoded.edge_logits.argmax(-1) == aligned.edges) | ~_pairs(mask)).flatten(1).all(1)
    figures = {"exact": nodes_exact & edges_exact, "nodes_exact": nodes_exact, "edges_exact": edges_exact}
    if decoded.pos is not None and aligned.pos is not None:
        square = (decoded.pos.to(aligned.pos.dtype) - aligned.pos).square().sum(-1)
        figures["rmsd"] = ((square * mask).sum(1) / sizes.clamp(min=1)).sqrt()
    for name, error in number_errors(aligned).items():
        figures[f"{name}_rmse"] = error.square().flatten(1).nanmean(1).sqrt()
    return figures


def _node_terms(decoded: Decoded, nodes: Int[Tensor, "b m k"]) -> Float[Tensor, "b m"]:
    """Negative log-likelihood of the categories of each node, summed over the channels."""
    terms = [_cross_entropy(scores, nodes[..., k]) for k, scores in enumerate(decoded.node_logits)]
    return torch.stack(terms).sum(0)


def _cross_entropy(scores: Float[Tensor, "*b c"], target: Int[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    flat = functional.cross_entropy(scores.flatten(0, -2).float(), target.flatten(), reduction="none")
    return flat.view(target.shape)


def _pairs(mask: Bool[Tensor, "b m"]) -> Bool[Tensor, "b m m"]:
    """True at each pair of different real nodes once."""
    return (mask.unsqueeze(2) & mask.unsqueeze(1)).triu(1)
