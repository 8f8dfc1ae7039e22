"""How good generated graphs or molecules are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float
from rdkit import Chem

from molae.apps.decode import smiles_of, try_decode
from molae.apps.embed import BATCH_SIZE
from molae.apps.graphs import decode_codes
from molae.apps.molecules import Molecule
from molae.apps.samples import Sample
from molae.autoencoder import Autoencoder
from molae.errors import RowError
from molae.metrics.generated import summarise_generated
from molae.metrics.graph_sets import compare_sets
from molae.metrics.graphs import canonical_key
from molae.metrics.molecule_sets import compare_molecules, is_whole


def judge_generated(
    model: Autoencoder,
    drawn: Float[np.ndarray, "n d"],
    known: Collection[str | bytes],
    reference: Sequence[Sample],
    batch_size: int = BATCH_SIZE,
) -> dict[str, float | None]:
    """Measures what codes decode to.

    Args:
        model: Model in evaluation mode.
        drawn: Codes from a prior.
        known: Names, by `name_of`, of what the prior was fitted to.
        reference: What the generated ones are to be like.
        batch_size: Codes that the model takes at once.
    Returns:
        The figures of `molae.metrics.generated.summarise_generated`, a graph being valid if it has a node and
        a molecule if RDKit sanitises it; of molecules `whole_rate`, the share of all that are valid, of one
        piece and without unpaired electrons; and, where some are valid, those of
        `molae.metrics.graph_sets.compare_sets` and, of molecules, of
        `molae.metrics.molecule_sets.compare_molecules` of these.
    """
    if model.schema.labels is None:
        return _judge_molecules(try_decode(model, drawn, batch_size), known, _mols(reference))
    graphs = list(decode_codes(model, drawn, batch_size))
    names = [canonical_key(each.nodes, each.edges) if len(each.nodes) else None for each in graphs]
    figures = summarise_generated(names, known)
    valid = [each.edges for each in graphs if len(each.edges)]
    if not valid:
        return figures
    return {**figures, **compare_sets([each.graph.edges for each in reference], valid)}


def name_of(sample: Sample) -> str | bytes:
    """The same for equal molecules or graphs alone, whatever their numbering."""
    if isinstance(sample, Molecule):
        return smiles_of(sample.mol)
    return canonical_key(sample.graph.nodes, sample.graph.edges)


def _judge_molecules(
    found: Sequence[Chem.Mol | RowError], known: Collection[str | bytes], reference: Sequence[Chem.Mol]
) -> dict[str, float | None]:
    names = [None if isinstance(mol, RowError) else smiles_of(mol) for mol in found]
    valid = [mol for mol in found if not isinstance(mol, RowError)]
    figures = summarise_generated(names, known)
    figures["whole_rate"] = sum(map(is_whole, valid)) / len(found)
    if not valid:
        return figures
    # What is drawn is compared as it is decoded; hydrogens are nodes in both or in none.
    sets = ([Chem.GetAdjacencyMatrix(mol) for mol in mols] for mols in (reference, valid))
    return {**figures, **compare_sets(*sets), **compare_molecules(reference, valid)}


def _mols(samples: Sequence[Sample]) -> list[Chem.Mol]:
    return [each.mol for each in samples if isinstance(each, Molecule)]
