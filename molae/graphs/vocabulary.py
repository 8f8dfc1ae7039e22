"""What the nodes and edges of a data set have: labels, to which a model gives numbers, and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from pydantic import Field, FiniteFloat, model_validator

from molae.errors import DataError
from molae.graphs.labelled import LabelledGraph, Values
from molae.registry import Config, nearest

#: What may be a label.
Label = int | str

MOST_LABELS = 255
"""Most different labels of one attribute; packed data sets hold a category in a byte."""

_CONSTANT = 1e-12
"""Deviations below this share of the mean are the rounding of a number that is always the same."""


class Number(Config):
    """A continuous attribute, which a model sees as (value - centre) / scale.

    Attributes:
        name: Name of the attribute.
        centre: Its mean over the data set, in its own unit.
        scale: Its standard deviation, likewise; 1 if it is always the same.
    """

    name: str
    centre: FiniteFloat = 0.0
    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    def standardise(self, values: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """From the unit of the attribute to that of the model."""
        return (values - self.centre) / self.scale

    def restore(self, values: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """The reverse of `standardise`."""
        return values.astype(np.float64) * self.scale + self.centre


class Vocabulary(Config):
    """Attributes of the nodes and edges of graphs, with all labels of each; a label's category is its place.

    Attributes:
        nodes: Name and labels of each attribute of the nodes that a model reads; with none, nodes are alike.
        edges: Name and labels of the attribute of the edges, or None if edges are alike.
        node_numbers: Continuous attributes of the nodes.
        edge_numbers: Continuous attributes of the edges.
        directed: Whether edges have a direction.
        mutual: Of directed graphs, the labels (by their place, 1 or more) of the edges of each pair of nodes
            that has one in either direction, as far as the data set has such pairs; where edges are alike,
            always.
    """

    nodes: tuple[tuple[str, tuple[Label, ...]], ...] = ()
    edges: tuple[str, tuple[Label, ...]] | None = None
    node_numbers: tuple[Number, ...] = ()
    edge_numbers: tuple[Number, ...] = ()
    directed: bool = False
    mutual: tuple[tuple[int, int], ...] = ()

    @model_validator(mode="after")
    def _check_mutual(self) -> Self:
        count = len(self.edges[1]) if self.edges else 1
        pairs = set(self.mutual)
        if len(pairs) < len(self.mutual) or pairs != {(back, there) for there, back in pairs}:
            raise ValueError("mutual must have each pair of labels once, and either way round")
        if not all(1 <= there <= count for there, _ in pairs):
            raise ValueError(f"mutual must be of the places 1 to {count} of labels")
        return self

    @property
    def node_channels(self) -> tuple[tuple[str, int], ...]:
        """Names and sizes of the node channels, as `molae.batch.schema.Schema` takes them."""
        channels = tuple((name, len(labels)) for name, labels in self.nodes)
        return channels or (("node", 1),)

    @property
    def directions(self) -> tuple[tuple[int, int], ...]:
        """For each category of a pair of nodes the place, from 1, of the label of the edge to the other node
        and of that from it, 0 where there is none. Without directions the two are one edge."""
        count = len(self.edges[1]) if self.edges else 1
        places = range(1, count + 1)
        if not self.directed:
            return ((0, 0), *((place, place) for place in places))
        return ((0, 0), *((place, 0) for place in places), *((0, place) for place in places), *self.mutual)

    @property
    def edge_types(self) -> int:
        """Number of categories of a pair of nodes, category 0 meaning that there is no edge."""
        return len(self.directions)

    @property
    def reversed_edges(self) -> tuple[int, ...]:
        """Category of each pair as seen from its other node."""
        place = {ways: category for category, ways in enumerate(self.directions)}
        return tuple(place[back, there] for there, back in self.directions)

    def with_scales_of(self, other: Vocabulary) -> Vocabulary | None:
        """This vocabulary with the centres and scales of another; None if that has other numbers."""
        changed = {"node_numbers": other.node_numbers, "edge_numbers": other.edge_numbers}
        same = all(
            [number.name for number in getattr(self, name)] == [number.name for number in numbers]
            for name, numbers in changed.items()
        )
        return self.model_copy(update=changed) if same else None

    def describe(self) -> str:
        """What a model reads, in a line for users."""
        nodes = [f"{name} ({len(labels)} labels)" for name, labels in self.nodes]
        edges = [f"{self.edges[0]} ({len(self.edges[1])} labels)"] if self.edges else []
        nodes += map(_describe_number, self.node_numbers)
        edges += map(_describe_number, self.edge_numbers)
        kind = "directed" if self.directed else "undirected"
        return f"{kind} graphs; nodes: {', '.join(nodes) or 'alike'}; edges: {', '.join(edges) or 'alike'}"


def _describe_number(number: Number) -> str:
    return f"{number.name} (continuous, {number.centre:.3g} ± {number.scale:.3g})"


@dataclass(frozen=True)
class AttributeChoice:
    """What of the graphs of a data set a model is to hold.

    Attributes:
        node_attributes: Attributes of the nodes that count; None for all that there are.
        edge_attributes: Attributes of the edges that count, one of them at most with labels; None likewise.
        numbers: Attributes whose integers are continuous too.
        directed: Whether edges have directions; None for what more than half of the graphs say. Graphs that
            say otherwise are refused.
    """

    node_attributes: Sequence[str] | None = None
    edge_attributes: Sequence[str] | None = None
    numbers: Sequence[str] = ()
    directed: bool | None = None


EVERYTHING = AttributeChoice()


def collect_vocabulary(graphs: Iterable[LabelledGraph], choice: AttributeChoice = EVERYTHING) -> Vocabulary:
    """Finds the attributes of graphs, the labels that each has, and mean and deviation of numbers.

    An attribute is continuous if it has floating-point numbers; integers and text are labels. A vector of
    floating-point numbers is one label if it is one-hot in all graphs, else a continuous attribute for each
    of its components (`x0`, `x1` and so on for `x`).

    Args:
        graphs: The graphs. Those that are refused by their direction have no part in the vocabulary.
        choice: What of them counts.
    Returns:
        The vocabulary, labels in sorted order. Numbers that are not finite have no part in mean and
        deviation.
    Raises:
        DataError: If an attribute is missing or holds what is neither label nor number, or the edges have
            several with labels.
    """
    graphs = list(graphs)
    directed = choice.directed
    if directed is None:
        directed = 2 * sum(graph.directed is True for graph in graphs) > len(graphs)
    graphs = [graph for graph in graphs if graph.directed in (None, directed)]
    of_nodes, of_edges = (_columns(each) for each in _attributes(graphs))
    for wanted, known, kind in (
        (choice.node_attributes, of_nodes, "nodes have"),
        (choice.edge_attributes, of_edges, "edges have"),
        (choice.numbers, of_nodes | of_edges, "graphs have"),
    ):
        for name in wanted or ():
            if name not in known:
                found = nearest(name, list(known)) if known else "they have none"
                raise DataError(f"{kind} no attribute {name!r}: {found}")
    nodes, node_numbers = _split(of_nodes, choice.node_attributes, choice.numbers, "node")
    edges, edge_numbers = _split(of_edges, choice.edge_attributes, choice.numbers, "edge")
    if len(edges) > 1:
        names = ", ".join(name for name, _ in edges)
        raise DataError(f"edges have the attributes {names}: name one of them in edge_attributes")
    vocabulary = Vocabulary(
        nodes=nodes,
        edges=edges[0] if edges else None,
        node_numbers=node_numbers,
        edge_numbers=edge_numbers,
        directed=directed,
    )
    if directed:
        mutual = _mutual(graphs, vocabulary) if vocabulary.edges else ((1, 1),)
        vocabulary = vocabulary.model_copy(update={"mutual": mutual})
    if vocabulary.edge_types > MOST_LABELS + 1:
        raise DataError(
            f"pairs of nodes have {vocabulary.edge_types} combinations of labels in the two directions,"
            f" at most {MOST_LABELS} can be held"
        )
    return vocabulary


def expanded(attributes: Mapping[str, Values]) -> dict[str, Values]:
    """Attributes by name, vectors as their components; and as a label too, where they are one-hot."""
    found: dict[str, Values] = {}
    for name, values in attributes.items():
        if not _is_vector(values):
            found[name] = values
            continue
        table = np.asarray(values)
        found |= {f"{name}{k}": column for k, column in enumerate(table.T)}
        if _one_hot(table):
            found[name] = table.argmax(axis=1).tolist()
    return found


def is_number(value: Any) -> bool:
    """Whether a value is a number, an integer one or not."""
    return isinstance(value, (bool, np.bool_, int, np.integer, float, np.floating))


def _attributes(graphs: Sequence[LabelledGraph]) -> tuple[list[Mapping], list[Mapping]]:
    return [graph.node_labels for graph in graphs], [graph.edge_labels for graph in graphs]


def _columns(attributes: Sequence[Mapping[str, Values]]) -> dict[str, list[Any]]:
    """All values of each attribute; vectors as one label or as components, the same way in all graphs."""
    vectors = {name for each in attributes for name, values in each.items() if _is_vector(values)}
    hot = {
        name
        for name in vectors
        if all(_is_vector(each[name]) and _one_hot(each[name]) for each in attributes if name in each)
    }
    found: dict[str, list[Any]] = {}
    for each in attributes:
        for name, values in each.items():
            if name in hot:
                found.setdefault(name, []).extend(np.asarray(values).argmax(axis=1).tolist())
            elif _is_vector(values):
                for k, column in enumerate(np.asarray(values).T):
                    found.setdefault(f"{name}{k}", []).extend(column)
            else:
                found.setdefault(name, []).extend(values)
    return found


def _split(
    columns: Mapping[str, list[Any]], wanted: Sequence[str] | None, numbers: Sequence[str], kind: str
) -> tuple[tuple[tuple[str, tuple[Label, ...]], ...], tuple[Number, ...]]:
    """The attributes with labels, and the continuous ones."""
    labels, continuous = [], []
    for name in sorted(columns) if wanted is None else wanted:
        values = columns[name]
        if name in numbers or any(isinstance(value, (float, np.floating)) for value in values):
            continuous.append(_number(name, values, kind))
        else:
            labels.append((name, _sorted({_plain(value, name, kind) for value in values}, name)))
    return tuple(labels), tuple(continuous)


def _number(name: str, values: Sequence[Any], kind: str) -> Number:
    odd = next((value for value in values if not is_number(value)), None)
    if odd is not None:
        raise DataError(
            f"{kind} attribute {name!r} holds numbers, and {odd!r} ({type(odd).__name__}): give either"
            " numbers or labels, or leave it out"
        )
    known = np.array(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return Number(name=name)
    # Of the extremes by halves, whose sum and difference could be infinite.
    most = float(np.abs(known).max()) or 1.0
    centre, scale = most * float((known / most).mean()), most * float((known / most).std())
    return Number(name=name, centre=centre, scale=scale if scale > _CONSTANT * most else 1.0)


def _plain(value: Any, name: str, kind: str) -> Label:
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return int(value)
    if isinstance(value, str):
        return str(value)
    raise DataError(
        f"{kind} attribute {name!r} holds {value!r} ({type(value).__name__}): expected integers or text,"
        f" which are labels, or numbers; leave it out, or name the others with {kind}_attributes"
    )


def _sorted(labels: set[Label], name: str) -> tuple[Label, ...]:
    if len(labels) > MOST_LABELS:
        raise DataError(
            f"attribute {name!r} has {len(labels)} labels, at most {MOST_LABELS} can be held: if they are"
            " integers, it may be named as continuous, with `numbers`"
        )
    return tuple(sorted(labels, key=lambda label: (isinstance(label, str), label)))


def _mutual(graphs: Sequence[LabelledGraph], vocabulary: Vocabulary) -> tuple[tuple[int, int], ...]:
    """The labels that occur together on the two edges of a pair of nodes, either way round."""
    found: set[tuple[int, int]] = set()
    name, labels = vocabulary.edges or ("", ())
    place = {label: number for number, label in enumerate(labels, start=1)}
    for graph in graphs:
        values = expanded(graph.edge_labels).get(name)
        if values is not None:
            kinds = dict(zip(map(tuple, graph.pairs.tolist()), map(place.__getitem__, values), strict=True))
            found |= {(kind, kinds[j, i]) for (i, j), kind in kinds.items() if (j, i) in kinds}
    return tuple(sorted(found | {(back, there) for there, back in found}))


def _is_vector(values: Values) -> bool:
    return isinstance(values, np.ndarray) and values.ndim == 2


def _one_hot(table: Any) -> bool:
    return bool(((table == 0) | (table == 1)).all() and (table.sum(axis=1) == 1).all())
