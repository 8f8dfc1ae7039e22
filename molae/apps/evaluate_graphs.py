"""The protocol for graphs: how they survive the way to their codes and back, and what codes can generate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from molae.apps.embed import BATCH_SIZE, batches, embed_read, to_batch
from molae.apps.graphs import decoded_arrays
from molae.apps.judge import judge_generated, name_of
from molae.apps.loading import open_model
from molae.apps.priors import PriorChoice, open_prior
from molae.apps.rows import Progress, Source, no_progress
from molae.apps.samples import Sample
from molae.apps.whole import read_chunks, read_whole
from molae.autoencoder import Autoencoder
from molae.catalogue import fingerprint, read_description, resolve
from molae.errors import ConfigError
from molae.graphs.vocabulary import Vocabulary
from molae.metrics.graphs import GraphReconstruction, isomorphic, summarise_graphs
from molae.types import Decoded, Graph

STORED = "stored"
"""Name of the prior that is stored with a model."""


def evaluate_graphs(
    source: Source,
    model: str | Path,
    train: Source | None = None,
    *,
    prior: PriorChoice = "mixture",
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Measures how well graphs survive the way to their codes and back, and what codes can generate.

    Molecules have a protocol of their own for the way there and back (`molae.apps.evaluate`): of a model of
    molecules, this one measures what is generated.

    Args:
        source: The graphs, or molecules.
        model: Path of a model of graphs, or name or path of one of molecules.
        train: Graphs whose codes a prior is fitted to; as many graphs as `source` has are then generated from
            it and compared with those. None for no generation.
        prior: Name of the prior, or a mapping with its settings (see `molae.prior`); or `stored`, for the one
            that is stored with the model, of which `train` only tells what is new; or `adapted`, for that
            one taught `train`.
        batch_size: Graphs that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        progress: Told after every few rows.
    Returns:
        The report, as JSON can hold it: `protocol`, `model`, `weights_sha256`, `code_size`, `data`, `seed`;
        `figures`, null where there is nothing to average: those of `molae.metrics.graphs.summarise_graphs`,
        what the regulariser of the model tells of the codes, and with `train` those of
        `molae.apps.generate.judge_generated`; `prior`, null without `train`; `unread`, the graphs that the
        model cannot take, by kind; they are not in the figures.
    Raises:
        DataError: If the input cannot be read, or holds no graph that the model takes.
        ConfigError: If the model is one of molecules and there is no `train`.
        MolaeError: If the model cannot be used.
    """
    description = read_description(resolve(model))
    opened = open_model(model, device, kind="any")
    molecules = opened.schema.labels is None
    if molecules and train is None:
        raise ConfigError(
            "codes of molecules are measured by `molae evaluate reconstruction`:"
            " bring `train` to measure what codes generate"
        )
    samples, unread = read_whole(source, opened, progress)
    figures: dict[str, Any] = {"count": len(samples)}
    if not molecules:
        figures |= summarise_graphs(compare_graphs(opened, samples, batch_size))
    if opened.regulariser is not None:
        codes, _ = embed_read(opened, samples, batch_size)
        figures |= opened.regulariser.describe(torch.from_numpy(codes).to(next(opened.parameters())))
    if train is not None:
        if prior == STORED:
            chosen = open_prior(None, model, opened)
            chunks = read_chunks(train, opened, progress)
            known = {name_of(each) for chunk in chunks for each in chunk if isinstance(each, Sample)}
        else:
            fitted, _ = read_whole(train, opened, progress)
            codes, _ = embed_read(opened, fitted, batch_size)
            chosen = open_prior(codes, model, opened, prior, source.seed)
            known = set(map(name_of, fitted))
        drawn = chosen.sample(len(samples), source.seed)
        figures |= judge_generated(opened, drawn, known, samples, batch_size)
    return {
        "protocol": "graphs",
        "model": str(model),
        "weights_sha256": fingerprint(description),
        "code_size": opened.config.code_size,
        "data": Path(source.path).name,
        "seed": source.seed,
        "prior": None if train is None else prior,
        "figures": {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in figures.items()
        },
        "unread": dict(unread),
    }


def compare_graphs(
    model: Autoencoder, samples: Sequence[Sample], batch_size: int = BATCH_SIZE
) -> list[GraphReconstruction]:
    """Encodes and decodes graphs, and compares.

    Args:
        model: Model of graphs, in evaluation mode.
        samples: The graphs.
        batch_size: Graphs in a batch.
    Returns:
        The comparison of each, in input order. Whether a graph is exact is told from its code alone.
    """
    found: dict[int, GraphReconstruction] = {}
    labels = model.schema.labels or Vocabulary()
    for places, chosen in batches(samples, batch_size):
        batch = to_batch(model, chosen)
        with torch.inference_mode():
            _, decoded, action = model.reconstruct(batch)
        gap = decoded.edge_logits.double().softmax(-1)[..., 0]
        chance = (1 - gap).cpu().numpy()
        index = action.hard_index.cpu().numpy()
        for i, found_graph in enumerate(decoded_arrays(decoded)):
            graph = chosen[i].graph
            slots = index[i, : len(graph)]
            pairs = np.triu_indices(len(graph), 1)
            found[places[i]] = GraphReconstruction(
                exact=isomorphic(found_graph.nodes, found_graph.edges, graph.nodes, graph.edges),
                edge_probability=chance[i][np.ix_(slots, slots)][pairs],
                edge_there=(graph.edges[pairs] > 0).astype(np.int64),
                errors=_number_errors(decoded, i, slots, graph, labels),
            )
    return [found[place] for place in range(len(samples))]


def _number_errors(
    decoded: Decoded, place: int, slots: Int[np.ndarray, " n"], graph: Graph, labels: Vocabulary
) -> dict[str, Float[np.ndarray, " v"]]:
    """Errors of the continuous attributes of a graph under the model's own permutation, in their units."""
    errors = {}
    if decoded.numbers is not None and graph.numbers is not None:
        off = decoded.numbers[place].double().cpu().numpy()[slots] - graph.numbers
        for column, number in enumerate(labels.node_numbers):
            errors[f"node_{number.name}"] = off[:, column] * number.scale
    if decoded.edge_numbers is not None and graph.edge_numbers is not None:
        off = decoded.edge_numbers[place].double().cpu().numpy()[np.ix_(slots, slots)] - graph.edge_numbers
        for column, number in enumerate(labels.edge_numbers):
            there = np.isfinite(graph.edge_numbers[..., column])
            errors[f"edge_{number.name}"] = off[..., column][there] * number.scale
    return errors
