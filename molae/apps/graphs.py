"""Users' own graphs: data sets to train on, and from codes back to networkx."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from molae.apps.embed import BATCH_SIZE
from molae.apps.labelled import as_labelled
from molae.apps.loading import Model, open_model
from molae.apps.pack import check_output, write_labelled
from molae.apps.rows import Summary
from molae.autoencoder import Autoencoder
from molae.errors import ConfigError, RowError
from molae.graphs.arrays import decode
from molae.graphs.convert import to_networkx, to_pyg
from molae.graphs.labelled import LabelledGraph
from molae.graphs.vocabulary import AttributeChoice, Vocabulary
from molae.types import Decoded

_FORMS = {"networkx": to_networkx, "pyg": to_pyg}


class DecodedGraph(NamedTuple):
    """A graph as it is decoded, in slot order.

    Attributes:
        nodes: Likeliest category of each node in each channel.
        edges: That of each pair of nodes as seen from the first.
        numbers: Continuous attributes of the nodes, in standard deviations, or None.
        edge_numbers: Those of the pairs, likewise, whether or not there is an edge.
    """

    nodes: Int[np.ndarray, "m k"]
    edges: Int[np.ndarray, "m m"]
    numbers: Float[np.ndarray, "m q"] | None = None
    edge_numbers: Float[np.ndarray, "m m p"] | None = None


def pack_graphs(
    graphs: Iterable[Any],
    output: str | Path,
    *,
    max_nodes: int | None = None,
    node_attributes: Sequence[str] | None = None,
    edge_attributes: Sequence[str] | None = None,
    numbers: Sequence[str] = (),
    directed: bool | None = None,
    descriptors: bool = False,
) -> Summary:
    """Packs graphs for training; those that cannot be used are left out and counted.

    Args:
        graphs: Graphs of networkx or PyTorch Geometric (see `molae.graphs.convert`), directed or not.
        output: Path of the packed data set, `.safetensors`; nothing is written if no graph can be used.
        max_nodes: Most nodes of a graph, and of what a model trained on the data takes, at most 255; None
            for as many as the largest graph has, up to that.
        node_attributes: Attributes of the nodes that the model is to hold; None for all. Integers and text
            are labels, floating-point numbers continuous; what counts as which is logged.
        edge_attributes: Attributes of the edges, likewise, one of them at most with labels.
        numbers: Attributes whose integers are continuous too.
        directed: Whether edges have directions; None for what more than half of the graphs say. Those of
            networkx say it, those of PyTorch Geometric if an edge lacks its reverse.
        descriptors: Whether to pack `molae.graphs.statistics` of each too, for a model with a summary to be
            taught.
    Returns:
        The counts of graphs.
    Raises:
        DataError: If an attribute is missing or holds what is neither label nor number, or the output cannot
            be written.
        ConfigError: If a number is out of range.
    """
    path = Path(output)
    check_output(path, max_nodes)
    read = [_labelled(graph) for graph in graphs]
    choice = AttributeChoice(node_attributes, edge_attributes, numbers, directed)
    return write_labelled(list(enumerate(read)), path, max_nodes, choice, descriptors)


def decode_graphs(
    codes: Float[np.ndarray, "n d"],
    model: Model,
    *,
    form: Literal["networkx", "pyg"] = "networkx",
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
) -> list[Any]:
    """Decodes codes to graphs, from the likeliest size and categories.

    Args:
        codes: Codes, as `molae.embed` gives them; not NaN.
        model: Path of a model of graphs, or a loaded one.
        form: Whether to give graphs of networkx, or `Data` of PyTorch Geometric (see
            `molae.graphs.convert.to_pyg`).
        batch_size: Codes that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
    Returns:
        A graph for each, labels and numbers (in their own units) as attributes of nodes and edges; directed
        where those are that the model was trained on. It may have no nodes.
    Raises:
        ConfigError: If the model is one of molecules, the codes do not fit it, or there is no such form.
        CheckpointError: If there is no such model, or it is damaged.
    """
    if form not in _FORMS:
        raise ConfigError(f"form: expected {' or '.join(_FORMS)}, got {form!r}")
    opened = open_model(model, device, kind="graphs")
    labels = opened.schema.labels or Vocabulary()
    made = [
        decode(each.nodes, each.edges, labels, each.numbers, each.edge_numbers)
        for each in decode_codes(opened, codes, batch_size)
    ]
    return [_FORMS[form](each) for each in made]


def decode_in_batches(
    model: Autoencoder, codes: Float[np.ndarray, "n d"], batch_size: int = BATCH_SIZE
) -> Iterator[Decoded]:
    """Decodes codes, a batch at a time.

    Args:
        model: Model in evaluation mode.
        codes: Codes.
        batch_size: Codes that the model takes at once.
    Yields:
        What the codes of a batch decode to, on all slots.
    Raises:
        ConfigError: If the codes do not fit the model, or some are not finite.
    """
    codes = np.asarray(codes, dtype=np.float32)
    if codes.ndim != 2 or codes.shape[1] != model.config.code_size:
        raise ConfigError(f"codes: expected the shape (n, {model.config.code_size}), got {codes.shape}")
    if not np.isfinite(codes).all():
        raise ConfigError("codes: some are not finite; leave out the graphs that could not be embedded")
    weights = next(model.parameters())
    for start in range(0, len(codes), batch_size):
        with torch.inference_mode():
            yield model.read(torch.from_numpy(codes[start : start + batch_size]).to(weights))


def decode_codes(
    model: Autoencoder, codes: Float[np.ndarray, "n d"], batch_size: int = BATCH_SIZE
) -> Iterator[DecodedGraph]:
    """Decodes codes to categories and numbers of nodes and edges, those of each graph on its own.

    Args:
        model: Model in evaluation mode.
        codes: Codes.
        batch_size: Codes that the model takes at once.
    Yields:
        The graphs.
    Raises:
        ConfigError: If the codes do not fit the model, or some are not finite.
    """
    for decoded in decode_in_batches(model, codes, batch_size):
        yield from decoded_arrays(decoded)


def decoded_arrays(decoded: Decoded) -> Iterator[DecodedGraph]:
    """The likeliest categories of the graphs that a decoder gave, as `decode_codes` yields them."""
    nodes = torch.stack([logits.argmax(dim=-1) for logits in decoded.node_logits], dim=-1).cpu().numpy()
    edges = decoded.edge_logits.argmax(dim=-1).cpu().numpy()
    for i, n in enumerate(decoded.size_logits.argmax(dim=-1).tolist()):
        # A node has no edge to itself, whatever the decoder says of a place that nothing teaches.
        own = edges[i, :n, :n].copy()
        np.fill_diagonal(own, 0)
        numbers = None if decoded.numbers is None else decoded.numbers[i, :n].cpu().numpy()
        of_edges = None if decoded.edge_numbers is None else decoded.edge_numbers[i, :n, :n].cpu().numpy()
        yield DecodedGraph(nodes[i, :n], own, numbers, of_edges)


def _labelled(graph: object) -> LabelledGraph | RowError:
    found = as_labelled(graph)
    if found is None:
        return RowError(f"expected a graph of networkx or PyG, got {type(graph).__name__}", "type")
    return found
