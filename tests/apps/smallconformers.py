"""A few molecules with conformers, and a model of conformers that is small and not trained."""

from __future__ import annotations

from functools import cache

import torch
from rdkit import Chem

from molae.apps.conformers.pack import make_record, skeleton_schema
from molae.batch.skeletons import SkeletonDataset, SkeletonRecord
from molae.chem.etkdg import sample_etkdg
from molae.chem.matching import match_starts
from molae.chem.skeleton import skeleton
from molae.conformer import ConformerConfig, ConformerModel

SMILES = ("CCCCO", "CC(C)Cc1ccccc1", "C[C@H](N)C(=O)NCC(=O)O", "OCCN1CCOCC1", "FC(F)(F)CCc1ccccc1")
CONFIG = ConformerConfig(width=16, pair_width=8, layers=1, heads=2, draws=2, steps=2)


def record(smiles: str, conformers: int = 3, starts: int = 2, row: int = 0) -> SkeletonRecord:
    """A molecule whose conformers are embeddings, too."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    found = skeleton(mol)
    made = sample_etkdg(mol, starts + conformers, 0)
    match = match_starts(mol, found.torsions, made[:starts], made[starts:])
    return make_record(found, "mmff", made[:starts], made[starts:], match)


@cache
def small_dataset() -> SkeletonDataset:
    """The molecules."""
    return SkeletonDataset([record(smiles) for smiles in SMILES], skeleton_schema())


def small_conformer_model() -> ConformerModel:
    """The model, whose forces are not all zero."""
    torch.manual_seed(0)
    model = ConformerModel(CONFIG, skeleton_schema())
    for forces in (model.field.forces, *model.refine.rounds):
        for parameter in forces.strength[-1].parameters():
            torch.nn.init.normal_(parameter)
    return model.eval()
