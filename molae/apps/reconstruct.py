"""Molecules to vectors and back: what the vectors hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rdkit import Chem
from rdkit.rdBase import BlockLogs
from torch import Tensor

from molae.apps.embed import BATCH_SIZE, batches, to_batch
from molae.apps.loading import Model, open_model
from molae.apps.molecules import (
    Molecule,
    as_source,
    as_sources,
    first_conformers,
    in_chunks,
    molecule_workers,
    read_molecule,
)
from molae.autoencoder import Autoencoder
from molae.chem.rebuild import rebuild
from molae.errors import ConfigError, RowError
from molae.groups.action import GroupAction
from molae.metrics.reconstruction import Reconstruction, compare
from molae.types import Decoded


@dataclass(frozen=True)
class Reconstructed:
    """A molecule decoded from the code of another.

    Attributes:
        smiles: Canonical isomeric SMILES of the decoded molecule, stereo read from its coordinates where the
            model has them; None where there is none.
        mol: The decoded molecule in the order and, with its coordinates in Å, in the pose of the original, by
            the model's own action.
        exact: Whether it is the original molecule, stereo included.
        rmsd: Heavy-atom RMSD to the conformer that was encoded, without any refit, in Å; NaN unless the
            graphs are equal and have coordinates.
        error: Why there is no decoded molecule, or None.
        comparison: The whole comparison with the original.
    """

    smiles: str | None
    mol: Chem.Mol | None
    exact: bool
    rmsd: float
    error: RowError | None
    comparison: Reconstruction


def reconstruct(
    molecules: Iterable[str | Chem.Mol | None],
    model: Model = "molecule",
    *,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    num_workers: int = 0,
    seed: int = 0,
) -> list[Reconstructed]:
    """Encodes molecules, decodes them again from their codes alone, and compares.

    Args:
        molecules: SMILES, or RDKit molecules; those with a 3D conformer keep it, the others get one by
            ETKDGv3. A model without coordinates takes the stereo of a conformer, and makes none.
        model: Name of a shipped model, path of a model directory, or a loaded model.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        num_workers: Further processes that read molecules and make conformers.
        seed: Seed of the conformers.
    Returns:
        The reconstruction of each molecule, in input order; those that failed say why.
    Raises:
        CheckpointError: If there is no such model, or it is damaged.
        ConfigError: If an option does not fit.
    """
    opened = open_model(model, device)
    found: list[Reconstructed] = []
    with molecule_workers(opened.schema, seed, num_workers) as workers:
        for _, read in workers.map_chunks(in_chunks(as_sources(molecules), opened.schema)):
            found += reconstruct_read(opened, first_conformers(read), batch_size)
    return found


def interpolate(
    a: str | Chem.Mol,
    b: str | Chem.Mol,
    steps: int = 10,
    model: Model = "molecule",
    *,
    device: str = "auto",
    seed: int = 0,
) -> list[Chem.Mol | None]:
    """Decodes molecules along the straight line between the codes of two.

    Args:
        a: SMILES or RDKit molecule at the start.
        b: SMILES or RDKit molecule at the end.
        steps: Number of molecules, those of both ends included.
        model: Name of a shipped model, path of a model directory, or a loaded model.
        device: `auto`, `cpu` or `cuda`.
        seed: Seed of the conformers.
    Returns:
        The decoded molecules with coordinates in Å, in the model's canonical pose; None where what is
        decoded is no valid molecule.
    Raises:
        RowError: If one of the two cannot be read.
        ConfigError: If there are fewer than two steps, or an option does not fit.
        CheckpointError: If there is no such model, or it is damaged.
    """
    if steps < 2:
        raise ConfigError(f"steps: expected at least 2, one for each end, got {steps}")
    opened = open_model(model, device)
    ends = [read_molecule(as_source(end), opened.schema, seed) for end in (a, b)]
    with torch.inference_mode():
        codes = opened.encode(to_batch(opened, ends)).invariant
        share = torch.linspace(0, 1, steps, dtype=codes.dtype, device=codes.device).unsqueeze(1)
        decoded = opened.decode(codes[:1] + share * (codes[1:] - codes[:1]))
    return [None if isinstance(mol, RowError) else mol for mol in rebuild_all(decoded)]


def reconstruct_read(
    model: Autoencoder, read: Sequence[Molecule | RowError], batch_size: int = BATCH_SIZE
) -> list[Reconstructed]:
    """Reconstructs molecules that were read.

    Args:
        model: Model in evaluation mode.
        read: Molecules, or reasons why there are none.
        batch_size: Molecules in a batch.
    Returns:
        The reconstruction of each.
    """
    found = {place: _failed(each) for place, each in enumerate(read) if isinstance(each, RowError)}
    for places, originals in batches(read, batch_size):
        with torch.inference_mode():
            _, decoded, action = model.reconstruct(to_batch(model, originals))
        for i, mol in enumerate(rebuild_all(decoded)):
            found[places[i]] = _compared(mol, action, i, originals[i])
    return [found[place] for place in range(len(read))]


def rebuild_all(decoded: Decoded) -> list[Chem.Mol | RowError]:
    """Builds the molecules that a decoder gave, from the likeliest size and categories.

    Args:
        decoded: What was decoded, on all slots of the model.
    Returns:
        For each code a sanitised molecule, atoms in slot order, positions in Å in the canonical pose; or the
        error of kind `not_sanitised`, or `no_atoms`.
    """
    sizes = decoded.size_logits.argmax(dim=-1).tolist()
    nodes = torch.stack([logits.argmax(dim=-1) for logits in decoded.node_logits], dim=-1).cpu().numpy()
    edges = decoded.edge_logits.argmax(dim=-1).cpu().numpy()
    pos = None if decoded.pos is None else decoded.pos.detach().double().cpu().numpy()
    return [
        _try_rebuild(nodes[i, :n], edges[i, :n, :n], None if pos is None else pos[i, :n])
        for i, n in enumerate(sizes)
    ]


def _try_rebuild(nodes: np.ndarray, edges: np.ndarray, pos: np.ndarray | None) -> Chem.Mol | RowError:
    if not len(nodes):
        return RowError("decoded to no atoms", "no_atoms")
    try:
        # The reason is in the error; RDKit would print it too.
        with BlockLogs():
            return rebuild(nodes, edges, pos)
    except RowError as error:
        return error


def _compared(mol: Chem.Mol | RowError, action: GroupAction, index: int, original: Molecule) -> Reconstructed:
    if isinstance(mol, RowError):
        return _failed(mol)
    # Where hydrogens are nodes, they are no more part of the SMILES than elsewhere.
    with BlockLogs():
        smiles = Chem.MolToSmiles(Chem.RemoveHs(mol))
    mol = _posed(mol, action, index, original)
    comparison = compare(mol, original.mol)
    return Reconstructed(smiles, mol, comparison.exact, comparison.rmsd_action, None, comparison)


def _posed(mol: Chem.Mol, action: GroupAction, index: int, original: Molecule) -> Chem.Mol:
    """Moves a decoded molecule onto its original, into its atom order too if there are as many atoms."""
    graph = original.graph
    if graph.pos is not None and action.rotation is not None and action.translation is not None:
        rotation, translation = _array(action.rotation[index]), _array(action.translation[index])
        conformer = mol.GetConformer()
        # Centred for the model (see `to_batch`).
        centre = graph.pos.mean(axis=0)
        conformer.SetPositions(conformer.GetPositions() @ rotation.T + translation + centre)
    if mol.GetNumAtoms() != len(graph):
        return mol
    return Chem.RenumberAtoms(mol, action.hard_index[index, : len(graph)].tolist())


def _array(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()


def _failed(error: RowError) -> Reconstructed:
    return Reconstructed(None, None, False, float("nan"), error, Reconstruction())
