"""Unusual graphs made from usual ones, so that a code learns to hold what the data show too seldom.

An autoencoder should return whatever it is given. Trained on molecules alone it returns rare ones, charged or
with rare neighbours, as their likelier cousins. Graphs with a few categories replaced at random, and graphs
cut short, are to make it spend channels on every category and size. What that brings was not measured alone.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.registry import Config


class AugmentConfig(Config):
    """What to do to the graphs of a training batch: the section `[augment]`.

    Attributes:
        mutate: Share of the graphs in which categories are replaced.
        node_rate: Share of the node categories replaced in such a graph.
        edge_rate: Share of the pairs of neighbouring or nearly neighbouring slots whose edge is replaced
            there.
        crop: Share of the graphs cut short at a random slot.
    """

    mutate: float = Field(default=0.0, ge=0, le=1)
    node_rate: float = Field(default=0.05, ge=0, le=1)
    edge_rate: float = Field(default=0.01, ge=0, le=1)
    crop: float = Field(default=0.0, ge=0, le=1)


def augment(
    batch: DenseBatch, schema: Schema, config: AugmentConfig, generator: torch.Generator
) -> DenseBatch:
    """Replaces categories in some graphs, and cuts some short.

    Args:
        batch: The graphs, nodes in canonical order, as packed data sets hold them.
        schema: What the graphs carry.
        config: Shares and rates.
        generator: Source of the choices.
    Returns:
        A batch of as many graphs. The order of the nodes is kept, although it is canonical no more.
    """
    if config.crop > 0:
        batch = _crop(batch, _share(batch, config.crop, generator), generator)
    if config.mutate > 0:
        batch = _mutate(batch, schema, config, _share(batch, config.mutate, generator), generator)
    return batch


def _share(batch: DenseBatch, share: float, generator: torch.Generator) -> Bool[Tensor, " b"]:
    return _uniform((len(batch),), generator) < share


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)


def _crop(batch: DenseBatch, chosen: Bool[Tensor, " b"], generator: torch.Generator) -> DenseBatch:
    """Keeps the first slots of the chosen graphs, at least one."""
    size = batch.sizes
    kept = 1 + (_uniform((len(batch),), generator) * size).long().clamp(max=size - 1)
    places = torch.arange(batch.mask.shape[1], device=size.device)
    mask = batch.mask & (places < torch.where(chosen, kept, size).unsqueeze(1))
    pairs = mask.unsqueeze(1) & mask.unsqueeze(2)
    own = places.expand_as(batch.slot)
    return replace(
        batch,
        nodes=batch.nodes * mask.unsqueeze(-1),
        edges=batch.edges * pairs,
        mask=mask,
        pos=None if batch.pos is None else batch.pos * mask.unsqueeze(-1),
        numbers=None if batch.numbers is None else batch.numbers * mask.unsqueeze(-1),
        edge_numbers=None
        if batch.edge_numbers is None
        else batch.edge_numbers.masked_fill(~pairs.unsqueeze(-1), torch.nan),
        mirror_slot=torch.where(chosen.unsqueeze(1), own, batch.mirror_slot),
        tie=None if batch.tie is None else batch.tie * mask,
        targets=_forget(batch, chosen),
    )


def _forget(batch: DenseBatch, chosen: Bool[Tensor, " b"]) -> Tensor | None:
    """The targets, not known any more of the graphs that were changed."""
    if batch.targets is None:
        return None
    return batch.targets.where(~chosen.unsqueeze(1), torch.nan)


def _mutate(
    batch: DenseBatch,
    schema: Schema,
    config: AugmentConfig,
    chosen: Bool[Tensor, " b"],
    generator: torch.Generator,
) -> DenseBatch:
    """Replaces single categories of nodes, and edges, of the chosen graphs by random ones."""
    change = (_uniform(tuple(batch.nodes.shape), generator) < config.node_rate) & chosen.view(-1, 1, 1)
    sizes = torch.tensor(schema.node_sizes, device=batch.nodes.device)
    random = (_uniform(tuple(batch.nodes.shape), generator) * sizes).long()
    nodes = torch.where(change & batch.mask.unsqueeze(-1), random, batch.nodes)
    edges = _mutate_edges(batch, schema, config, chosen, generator)
    edge_numbers = _renew_edge_numbers(batch, edges, schema, generator)
    return replace(batch, nodes=nodes, edges=edges, targets=_forget(batch, chosen), edge_numbers=edge_numbers)


def _mutate_edges(
    batch: DenseBatch,
    schema: Schema,
    config: AugmentConfig,
    chosen: Bool[Tensor, " b"],
    generator: torch.Generator,
) -> Int[Tensor, "b m m"]:
    shape = tuple(batch.edges.shape)
    pairs = (batch.mask.unsqueeze(1) & batch.mask.unsqueeze(2)).triu(1) & chosen.view(-1, 1, 1)
    # A bond is far likelier to be replaced than the absence of one, which most pairs have.
    rate = torch.where(batch.edges > 0, config.node_rate, config.edge_rate)
    change = pairs & (_uniform(shape, generator) < rate)
    random = (_uniform(shape, generator) * schema.edge_types).long()
    upper = torch.where(change, random, batch.edges).triu(1)
    back = schema.reversed_pair
    return upper + (upper if back is None else torch.tensor(back.categories, device=upper.device)[upper]).mT


def _renew_edge_numbers(
    batch: DenseBatch, edges: Int[Tensor, "b m m"], schema: Schema, generator: torch.Generator
) -> Float[Tensor, "b m m p"] | None:
    """Numbers for edges that were replaced, drawn from the normal distribution; NaN where there is none."""
    if batch.edge_numbers is None or schema.labels is None:
        return batch.edge_numbers
    drawn = _uniform(tuple(batch.edge_numbers.shape), generator).clamp(1e-6, 1 - 1e-6)
    drawn = (2**0.5 * torch.erfinv(2 * drawn - 1)).to(batch.edge_numbers.dtype)
    ways = torch.tensor(schema.labels.directions, device=edges.device) > 0
    ways = ways if schema.labels.directed else ways[:, :1]
    there = ways.repeat_interleave(len(schema.labels.edge_numbers), dim=1)[edges]
    upper = drawn.where(there, torch.nan)
    swapped = upper.transpose(1, 2)
    if (back := schema.reversed_pair) is not None:
        swapped = swapped[..., list(back.numbers)]
    first = torch.ones_like(edges[0], dtype=torch.bool).triu(1).unsqueeze(-1)
    return torch.where((edges != batch.edges).unsqueeze(-1), upper.where(first, swapped), batch.edge_numbers)
