"""Users' own graphs: data sets to train on, and from codes back to networkx."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from molae.graphs.convert import to_networkx
from molae.graphs.labelled import LabelledGraph
from molae.graphs.vocabulary import Vocabulary
from molae.types import Decoded

if TYPE_CHECKING:
    import networkx as nx


def pack_graphs(
    graphs: Iterable[Any],
    output: str | Path,
    *,
    max_nodes: int | None = None,
    node_attributes: Sequence[str] | None = None,
    edge_attribute: str | None = None,
    descriptors: bool = False,
) -> Summary:
    """Packs graphs for training; those that cannot be used are left out and counted.

    Args:
        graphs: Undirected graphs of networkx or PyTorch Geometric (see `molae.graphs.convert`).
        output: Path of the packed data set, `.safetensors`; nothing is written if no graph can be used.
        max_nodes: Most nodes of a graph, and of what a model trained on the data takes, at most 255; None
            for as many as the largest graph has, up to that.
        node_attributes: Attributes of the nodes that the model is to hold, integers or text; None for all.
        edge_attribute: Attribute of the edges that it is to hold; None for the one that there is, if any.
        descriptors: Whether to pack `molae.graphs.statistics` of each too, for a model with a summary to be
            taught.
    Returns:
        The counts of graphs.
    Raises:
        DataError: If an attribute is missing or holds what is no category, or the output cannot be written.
        ConfigError: If a number is out of range.
    """
    path = Path(output)
    check_output(path, max_nodes)
    read = [_labelled(graph) for graph in graphs]
    return write_labelled(
        list(enumerate(read)), path, max_nodes, node_attributes, edge_attribute, descriptors
    )


def decode_graphs(
    codes: Float[np.ndarray, "n d"],
    model: Model,
    *,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
) -> list[nx.Graph]:
    """Decodes codes to graphs, from the likeliest size and categories.

    Args:
        codes: Codes, as `molae.embed` gives them; not NaN.
        model: Path of a model of graphs, or a loaded one.
        batch_size: Codes that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
    Returns:
        A graph for each, labels as attributes of nodes and edges; it may have no nodes.
    Raises:
        ConfigError: If the model is one of molecules, or the codes do not fit it.
        CheckpointError: If there is no such model, or it is damaged.
    """
    opened = open_model(model, device, kind="graphs")
    labels = opened.schema.labels or Vocabulary()
    decoded = decode_codes(opened, codes, batch_size)
    return [to_networkx(decode(nodes, edges, labels)) for nodes, edges in decoded]


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
            yield model.decode(torch.from_numpy(codes[start : start + batch_size]).to(weights))


def decode_codes(
    model: Autoencoder, codes: Float[np.ndarray, "n d"], batch_size: int = BATCH_SIZE
) -> Iterator[tuple[Int[np.ndarray, "m k"], Int[np.ndarray, "m m"]]]:
    """Decodes codes to categories of nodes and edges, those of each graph on its own.

    Args:
        model: Model in evaluation mode.
        codes: Codes.
        batch_size: Codes that the model takes at once.
    Yields:
        Categories of the nodes in each channel, and matrix of the categories of the edges.
    Raises:
        ConfigError: If the codes do not fit the model, or some are not finite.
    """
    for decoded in decode_in_batches(model, codes, batch_size):
        yield from decoded_arrays(decoded)


def decoded_arrays(decoded: Decoded) -> Iterator[tuple[Int[np.ndarray, "m k"], Int[np.ndarray, "m m"]]]:
    """The likeliest categories of the graphs that a decoder gave, as `decode_codes` yields them."""
    nodes = torch.stack([logits.argmax(dim=-1) for logits in decoded.node_logits], dim=-1).cpu().numpy()
    edges = decoded.edge_logits.argmax(dim=-1).cpu().numpy()
    for i, n in enumerate(decoded.size_logits.argmax(dim=-1).tolist()):
        # A node has no edge to itself, whatever the decoder says of a place that nothing teaches.
        own = edges[i, :n, :n].copy()
        np.fill_diagonal(own, 0)
        yield nodes[i, :n], own


def _labelled(graph: object) -> LabelledGraph | RowError:
    found = as_labelled(graph)
    if found is None:
        return RowError(f"expected a graph of networkx or PyG, got {type(graph).__name__}", "type")
    return found
