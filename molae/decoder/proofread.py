"""Decoded graphs are checked against their codes, and mended where a graph nearby has just that code.

Where lanes are linear in what nodes and edges bring (`molae.nn.linear`), the code of any graph in canonical
order is known without the encoder. A decoder that errs in a few places thus leaves, in the slots concerned
and in no others, a difference between the code it was given and that of its graph, and this difference is the
sum of what the changes bring that are due there. So few changes are tried that the sum which fits is found
like the error of a received word from its syndrome (Berlekamp, McEliece, van Tilborg 1978,
doi:10.1109/TIT.1978.1055873). What fits nowhere, such as a code with noise on it, is left as it was decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from molae.nn.linear import LinearLanes
from molae.types import Decoded

# What two lanes may differ by and still be the same, as a share of what an edge brings to them: rounding is
# far less, the change of an edge far more.
_TOLERANCE = 3e-3
# A graph is mended if no more of its slots are wrong than so many, or half of them: where most are, the code
# is that of no graph, or the decoder is of no help.
_FEW_WRONG = 6
# Slots that are tried for a graph, and pairs of changes of a slot that are combined with further ones: what
# needs more is left alone, since the search would take minutes.
_MOST_TRIED, _MOST_PAIRS = 100, 12_000


@dataclass(frozen=True)
class _Tables:
    """`LinearLanes` as arrays; what a category of a pair looks like from its other node; what is equal."""

    node: Sequence[Float[np.ndarray, "c l"]]
    pair: Float[np.ndarray, "s s t l"]
    back: Int[np.ndarray, " t"]
    tolerance: float


@dataclass(frozen=True)
class _Draft:
    """A graph in the order of the slots, and what the lanes of its code lack of those that were given."""

    nodes: Int[np.ndarray, "m k"]
    edges: Int[np.ndarray, "m m"]
    lacking: Float[np.ndarray, "m l"]


@dataclass(frozen=True)
class _Changes:
    """What one slot may have in the place of what it has: `value` in the channel, or of the edge to the node,
    that `site` tells, channels first; and what that brings to the lanes."""

    site: Int[np.ndarray, " c"]
    value: Int[np.ndarray, " c"]
    brings: Float[np.ndarray, "c l"]


def proofread(
    decoded: Decoded,
    code: Float[Tensor, "b d"],
    linear: LinearLanes,
    back: Sequence[int] | None = None,
) -> Decoded:
    """Mends decoded graphs that do not have the code they were decoded from.

    Args:
        decoded: What was decoded, on all slots.
        code: From which codes.
        linear: What lanes are made of.
        back: Each category of a pair as seen from its other node; None where edges have no direction.
    Returns:
        The same, but for graphs which so get the code that was given: there the categories they need have the
        highest scores.
    """
    aim = linear.lanes.split(code).double()
    nodes = torch.stack([scores.argmax(-1) for scores in decoded.node_logits], dim=-1)
    edges = _without_loops(decoded.edge_logits.argmax(-1))
    tables = _tables(linear, back)
    # Empty slots write nothing.
    written = aim.abs().amax(2) > tables.tolerance
    sizes = (written * torch.arange(1, aim.shape[1] + 1, device=aim.device)).amax(1)
    lacking = aim - linear.of(nodes, edges, sizes)
    wrong = (lacking.abs().amax(2) > tables.tolerance).sum(1)
    changed = (wrong > 0) | (sizes != decoded.size_logits.argmax(-1))
    promising = wrong <= (sizes // 2).clamp(min=_FEW_WRONG)
    mended: dict[int, _Draft] = {}
    for graph in (changed & promising).nonzero().flatten().tolist():
        n = int(sizes[graph])
        draft = _Draft(
            nodes[graph, :n].cpu().numpy(),
            edges[graph, :n, :n].cpu().numpy(),
            lacking[graph, :n].cpu().numpy(),
        )
        found = _settle(draft, tables, iter(range(_MOST_TRIED)))
        if found is not None:
            mended[graph] = found
    return _with(decoded, mended) if mended else decoded


def _tables(linear: LinearLanes, back: Sequence[int] | None) -> _Tables:
    pair = linear.pair.cpu().numpy()
    scale = float(np.sqrt(np.square(pair[:, :, 1:] - pair[:, :, :1]).mean()))
    seen = np.arange(pair.shape[2]) if back is None else np.asarray(back)
    return _Tables([table.cpu().numpy() for table in linear.node], pair, seen, _TOLERANCE * scale)


def _settle(draft: _Draft, tables: _Tables, tries: Iterator[int]) -> _Draft | None:
    """The draft with changes by which its lanes lack nothing; None if none are found."""
    wrong = np.flatnonzero(np.abs(draft.lacking).max(axis=1, initial=0.0) > tables.tolerance)
    if not len(wrong):
        return draft
    for slot in wrong.tolist():
        if next(tries, None) is None:
            return None
        changes = _changes(draft, slot, wrong, tables)
        for chosen in _sums(draft.lacking[slot], changes, tables.tolerance):
            mended = _settle(_changed(draft, slot, changes, chosen, tables), tables, tries)
            if mended is not None:
                return mended
    return None


def _changes(draft: _Draft, slot: int, wrong: Int[np.ndarray, " w"], tables: _Tables) -> _Changes:
    """All changes of one slot: of its node, and of its edges to others that lack something too."""
    site, value, brings = [], [], []
    for channel, table in enumerate(tables.node):
        old = draft.nodes[slot, channel]
        new = np.delete(np.arange(len(table)), old)
        site.append(np.full(len(new), channel))
        value.append(new)
        brings.append(table[new] - table[old])
    for other in wrong[wrong != slot].tolist():
        old = draft.edges[slot, other]
        new = np.delete(np.arange(len(tables.back)), old)
        row = tables.pair[slot, other]
        site.append(np.full(len(new), len(tables.node) + other))
        value.append(new)
        brings.append(row[new] - row[old])
    return _Changes(np.concatenate(site), np.concatenate(value), np.concatenate(brings))


def _sums(aim: Float[np.ndarray, " l"], changes: _Changes, tolerance: float) -> Iterator[tuple[int, ...]]:
    """Up to four changes at different sites that bring what is lacking, fewest first."""
    brings, site = changes.brings, changes.site
    yield from ((int(a),) for a in np.flatnonzero(np.abs(brings - aim).max(axis=1) <= tolerance))
    first, second = np.triu_indices(len(site), 1)
    apart = site[first] != site[second]
    first, second = first[apart], second[apart]
    pairs = brings[first] + brings[second]
    fitting = np.flatnonzero(np.abs(pairs - aim).max(axis=1) <= tolerance)
    yield from ((int(first[pair]), int(second[pair])) for pair in fitting)
    if len(pairs) > _MOST_PAIRS:
        return
    # Seldom needed, and slow to import: every command would wait for it.
    from scipy.spatial import cKDTree

    tree = cKDTree(pairs)
    couples = list(zip(first.tolist(), second.tolist(), strict=True))
    singles = [(a,) for a in range(len(site))]
    seen: set[tuple[int, ...]] = set()
    for ahead, vectors in ((singles, brings), (couples, pairs)):
        near = tree.query_ball_point(aim - vectors, tolerance, p=np.inf)
        for place in np.flatnonzero([bool(found) for found in near]):
            for pair in near[place]:
                chosen = tuple(sorted({*ahead[place], *couples[pair]}))
                whole = len(chosen) == len(ahead[place]) + 2
                if whole and chosen not in seen and len(set(site[list(chosen)])) == len(chosen):
                    seen.add(chosen)
                    yield chosen


def _changed(draft: _Draft, slot: int, changes: _Changes, chosen: Sequence[int], tables: _Tables) -> _Draft:
    """The draft after changes of one slot."""
    nodes, edges, lacking = draft.nodes.copy(), draft.edges.copy(), draft.lacking.copy()
    for change in chosen:
        site, value = int(changes.site[change]), int(changes.value[change])
        lacking[slot] -= changes.brings[change]
        if site < len(tables.node):
            nodes[slot, site] = value
            continue
        other = site - len(tables.node)
        seen = tables.back[value]
        row = tables.pair[other, slot]
        lacking[other] -= row[seen] - row[edges[other, slot]]
        edges[slot, other], edges[other, slot] = value, seen
    return _Draft(nodes, edges, lacking)


def _without_loops(edges: Int[Tensor, "b m m"]) -> Int[Tensor, "b m m"]:
    """No node has an edge to itself, whatever is decoded in a place that nothing teaches."""
    own = torch.eye(edges.shape[1], dtype=torch.bool, device=edges.device)
    return edges.masked_fill(own, 0)


def _with(decoded: Decoded, mended: Mapping[int, _Draft]) -> Decoded:
    """What was decoded, with the graphs of drafts in the place of some."""
    sizes, edges = decoded.size_logits.clone(), decoded.edge_logits.clone()
    channels = tuple(scores.clone() for scores in decoded.node_logits)
    for graph, draft in mended.items():
        n = len(draft.nodes)
        _raise(sizes[graph], np.array(n))
        for scores, categories in zip(channels, draft.nodes.T, strict=True):
            _raise(scores[graph, :n], categories)
        _raise(edges[graph, :n, :n], draft.edges)
    return decoded._replace(size_logits=sizes, node_logits=channels, edge_logits=edges)


def _raise(scores: Float[Tensor, "*b c"], category: Int[np.ndarray, "*b"]) -> None:
    """Puts the scores of the categories given above the others, in place."""
    index = torch.from_numpy(category.astype(np.int64)).to(scores.device).unsqueeze(-1)
    scores.scatter_(-1, index, scores.amax(-1, keepdim=True) + 1)
