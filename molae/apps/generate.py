"""New graphs and molecules: codes drawn from a prior that is fitted to others, and decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from rdkit.rdBase import BlockLogs

from molae.apps.embed import BATCH_SIZE
from molae.apps.graphs import decode_codes, decode_graphs, decode_in_batches
from molae.apps.loading import Model, open_model
from molae.apps.molecules import Molecule
from molae.apps.reconstruct import rebuild_all
from molae.apps.samples import Sample
from molae.autoencoder import Autoencoder
from molae.errors import ConfigError, RowError
from molae.metrics.generated import summarise_generated
from molae.metrics.graph_sets import compare_sets
from molae.metrics.graphs import canonical_key
from molae.prior import PRIORS

if TYPE_CHECKING:
    import networkx as nx

#: Name of a prior, or a mapping with its `name` and settings.
PriorChoice = str | Mapping[str, Any]


def generate_graphs(
    n: int,
    codes: Float[np.ndarray, "g d"],
    model: Model,
    *,
    prior: PriorChoice = "mixture",
    seed: int = 0,
    device: str = "auto",
) -> list[nx.Graph]:
    """Decodes new codes, drawn from a distribution that is fitted to given ones.

    Args:
        n: Number of graphs.
        codes: Codes of graphs of the kind that is wanted, as `molae.embed` gives them; not NaN.
        model: Path of the model that made the codes, or the loaded model.
        prior: `mixture`, a Gaussian mixture; `normal`, the standard normal distribution, for models of the
            variational form; or a mapping with settings, such as `{"name": "mixture", "components": 3}`.
        seed: Seed of the fit and of the draws.
        device: `auto`, `cpu` or `cuda`.
    Returns:
        The graphs, as from `decode_graphs`.
    Raises:
        ConfigError: If the model is one of molecules, or the codes do not fit it.
        CheckpointError: If there is no such model, or it is damaged.
    """
    return decode_graphs(draw_codes(codes, n, prior, seed), model, device=device)


def generate_molecules(
    n: int,
    codes: Float[np.ndarray, "g d"],
    model: Model,
    *,
    prior: PriorChoice = "mixture",
    seed: int = 0,
    device: str = "auto",
) -> list[Chem.Mol | None]:
    """Decodes new codes to molecules, as `generate_graphs` does to graphs.

    Args:
        n: Number of molecules.
        codes: Codes of molecules of the kind that is wanted, as `molae.embed` gives them; not NaN.
        model: Name or path of the model that made the codes, or the loaded model.
        prior: As for `generate_graphs`.
        seed: Seed of the fit and of the draws.
        device: `auto`, `cpu` or `cuda`.
    Returns:
        The molecules, with coordinates in Å where the model has them; None where what is decoded is no valid
        molecule. Nothing is repaired.
    Raises:
        ConfigError: If the model is not one of molecules, or the codes do not fit it.
        CheckpointError: If there is no such model, or it is damaged.
    """
    opened = open_model(model, device)
    return _molecules(opened, draw_codes(codes, n, prior, seed), BATCH_SIZE)


def draw_codes(
    codes: Float[np.ndarray, "g d"], n: int, prior: PriorChoice = "mixture", seed: int = 0
) -> Float[np.ndarray, "n d"]:
    """Fits a prior to codes, and draws others from it.

    Args:
        codes: Codes to fit to.
        n: Number of codes to draw.
        prior: Name of the prior, or a mapping with its settings.
        seed: Seed of the fit and of the draws.
    Returns:
        The codes.
    Raises:
        ConfigError: If there are too few codes, some are not finite, or a setting does not fit.
        RegistryError: If there is no such prior.
    """
    if n < 1:
        raise ConfigError(f"n: expected at least 1, got {n}")
    built = PRIORS.build({"name": prior} if isinstance(prior, str) else prior)
    built.fit(codes, seed)
    return built.sample(n, seed)


def judge_generated(
    model: Autoencoder,
    drawn: Float[np.ndarray, "n d"],
    fitted: Sequence[Sample],
    reference: Sequence[Sample],
    batch_size: int = BATCH_SIZE,
) -> dict[str, float | None]:
    """Measures what codes decode to.

    Args:
        model: Model in evaluation mode.
        drawn: Codes from a prior.
        fitted: What the prior was fitted to.
        reference: What the generated ones are to be like.
        batch_size: Codes that the model takes at once.
    Returns:
        The figures of `molae.metrics.generated.summarise_generated`, a graph being valid if it has a node and
        a molecule if RDKit sanitises it; and those of `molae.metrics.graph_sets.compare_sets` of the valid
        ones, where there are any.
    """
    names: list[str | bytes | None]
    if model.schema.labels is None:
        molecules = _molecules(model, drawn, batch_size)
        names = [None if mol is None else _smiles(mol) for mol in molecules]
        known: set[str | bytes] = {_smiles(each.mol) for each in fitted if isinstance(each, Molecule)}
        valid = [Chem.GetAdjacencyMatrix(mol) for mol in molecules if mol is not None]
    else:
        graphs = list(decode_codes(model, drawn, batch_size))
        names = [canonical_key(each.nodes, each.edges) if len(each.nodes) else None for each in graphs]
        known = {canonical_key(each.graph.nodes, each.graph.edges) for each in fitted}
        valid = [each.edges for each in graphs if len(each.edges)]
    figures = summarise_generated(names, known)
    if not valid:
        return figures
    return {**figures, **compare_sets([each.graph.edges for each in reference], valid)}


def _molecules(model: Autoencoder, codes: Float[np.ndarray, "n d"], batch_size: int) -> list[Chem.Mol | None]:
    found: list[Chem.Mol | None] = []
    for decoded in decode_in_batches(model, codes, batch_size):
        found += [None if isinstance(mol, RowError) else mol for mol in rebuild_all(decoded)]
    return found


def _smiles(mol: Chem.Mol) -> str:
    # Where hydrogens are nodes, they are no more part of the SMILES than elsewhere.
    with BlockLogs():
        return Chem.MolToSmiles(Chem.RemoveHs(mol))
