"""Molecules and other graphs to test on, and batches of them; none needs a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from rdkit import Chem
from torch import nn
from torch.nn import functional

from molae.batch.collate import collate
from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.chem.conformers import embed_conformer
from molae.chem.featurise import featurise, featurise_isomer
from molae.chem.vocabulary import BONDS, ISOMER_BONDS, ISOMER_CHANNELS, NODE_CHANNELS
from molae.testing import shapes
from molae.testing.motions import mirror_image
from molae.types import Graph

#: What the graphs of this module carry.
SCHEMA = Schema(node_channels=NODE_CHANNELS, edge_types=len(BONDS), max_nodes=32, hydrogens=True)

#: What the graphs without positions carry: the stereo of molecules, in categories.
ISOMER_SCHEMA = Schema(
    node_channels=ISOMER_CHANNELS, edge_types=ISOMER_BONDS, max_nodes=32, coordinates=False
)

DRUGS = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "ibuprofen": "CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "penicillin G": "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O",
    "clonidine": "Clc1cccc(Cl)c1NC1=NCCN1",
    "betaine": "C[N+](C)(C)CC(=O)[O-]",
}
#: Two molecules that message passing cannot tell apart by their bonds.
TWINS = {"decalin": "C1CCC2CCCCC2C1", "bicyclopentyl": "C1CCC(C1)C1CCCC1"}
#: One hand of each of some chiral molecules without symmetry.
CHIRAL = {
    "bromochlorofluoromethane": "[C@H](F)(Cl)Br",
    "alanine": "C[C@H](N)C(=O)O",
    "tartaric acid": "OC(=O)[C@H](O)[C@@H](O)C(=O)O",
}
#: Molecules in which a numbering has many symmetric choices, and isomers that differ in stereo alone.
ISOMERS = {
    **{"methane": "C", "benzene": "c1ccccc1", "cubane": "C12C3C4C1C5C2C3C45", "neopentane": "CC(C)(C)C"},
    **{"R-alanine": "C[C@H](N)C(=O)O", "S-alanine": "C[C@@H](N)C(=O)O"},
    **{"E-butene": "C/C=C/C", "Z-butene": "C/C=C\\C"},
    **{"E-imine": "[H]/N=C(/C)CC", "Z-imine": "[H]/N=C(\\C)CC"},
    "meso tartaric acid": "OC(=O)[C@H](O)[C@H](O)C(=O)O",
    "tartaric acid": "OC(=O)[C@H](O)[C@@H](O)C(=O)O",
    "cis-dimethylcyclohexane": "C[C@H]1CC[C@H](C)CC1",
    "trans-dimethylcyclohexane": "C[C@H]1CC[C@@H](C)CC1",
    **TWINS,
}
_ISOMER_PAIRS = (
    *(("R-alanine", "S-alanine"), ("E-butene", "Z-butene"), ("E-imine", "Z-imine")),
    *(("meso tartaric acid", "tartaric acid"), ("decalin", "bicyclopentyl")),
    ("cis-dimethylcyclohexane", "trans-dimethylcyclohexane"),
)
_CORES = ("c1cc({})ccc1{}", "C1CC({})N(C1){}", "c1nc({})sc1{}", "C1CC({})CC1{}", "CC({})C(=O)N{}")
_GROUPS = ("C", "F", "OC", "C#N", "C(F)(F)F", "N(C)C", "C(=O)O", "S(=O)(=O)C", "CCO", "C9CC9")


@lru_cache
def molecule(smiles: str, seed: int = 0) -> Graph:
    """Graph of a molecule, hydrogens not nodes, with the positions of an ETKDG conformer."""
    return featurise(embed_conformer(Chem.MolFromSmiles(smiles), seed))


def random_smiles(random: np.random.Generator) -> str:
    """Draws a drug-like molecule: a core with two substituents, up to 16 heavy atoms."""
    return random.choice(_CORES).format(random.choice(_GROUPS), random.choice(_GROUPS))


@lru_cache
def symmetric_graphs() -> dict[str, Graph]:
    """Graphs that rotations map onto themselves: molecules, Tetris shapes, and single atoms."""
    return {
        "methane": shapes.methane(),
        "neopentane": shapes.neopentane(),
        "cubane": shapes.cubane(),
        "adamantane": shapes.adamantane(),
        "benzene": shapes.benzene(),
        "benzene with hydrogens": shapes.benzene(hydrogens=True),
        "cyclooctatetraene": shapes.cyclooctatetraene(),
        "SF6": shapes.sulfur_hexafluoride(),
        "CO2": shapes.carbon_dioxide(),
        "acetylene": shapes.acetylene(),
        "difluoroallene": shapes.difluoroallene(),
        "single carbon": shapes.atoms([("C", 4, [(0.3, -1.2, 2.0)])]),
        "single chlorine": shapes.atoms([("Cl", 1, [(0.0, 0.0, 0.0)])]),
        **{f"tetris {name}": shapes.points(pos) for name, pos in shapes.TETRIS.items()},
    }


@lru_cache
def asymmetric_graphs() -> dict[str, Graph]:
    """Drug-like molecules, random molecules, and one hand of each chiral molecule that has no symmetry."""
    random = np.random.default_rng(0)
    drawn = [random_smiles(random) for _ in range(4)]
    chosen = {**DRUGS, **CHIRAL, **{f"random {smiles}": smiles for smiles in drawn}}
    return {name: molecule(smiles) for name, smiles in chosen.items()}


@lru_cache
def all_graphs() -> dict[str, Graph]:
    """Every graph of this module, by name."""
    return {**symmetric_graphs(), **asymmetric_graphs(), **{name: molecule(s) for name, s in TWINS.items()}}


@lru_cache
def chiral_pairs() -> dict[str, tuple[Graph, Graph]]:
    """Pairs of mirror images that no rotation maps onto each other."""
    hands = {name: molecule(smiles) for name, smiles in CHIRAL.items()}
    hands["difluoroallene"] = symmetric_graphs()["difluoroallene"]
    hands["tetris"] = symmetric_graphs()["tetris chiral_shape_1"]
    return {name: (graph, mirror_image(graph)) for name, graph in hands.items()}


@lru_cache
def isomers() -> dict[str, Graph]:
    """Molecules without positions, for encoders of such."""
    return {name: featurise_isomer(Chem.MolFromSmiles(s)) for name, s in {**DRUGS, **ISOMERS}.items()}


@lru_cache
def isomer_pairs() -> dict[str, tuple[Graph, Graph]]:
    """Pairs of molecules without positions that differ in stereo, or that message passing takes for one."""
    return {f"{a} and {b}": (isomers()[a], isomers()[b]) for a, b in _ISOMER_PAIRS}


@lru_cache
def degenerate_graphs() -> dict[str, Graph]:
    """Graphs at which a careless norm or frame has no finite gradient."""
    crowded = np.random.default_rng(0).normal(size=(5, 3))
    crowded[3] = crowded[1]
    return {
        "all points coincident": shapes.points([(1.0, 2.0, 3.0)] * 4),
        "two points coincident": shapes.points([(x, y, z) for x, y, z in crowded.tolist()]),
        "single": shapes.points([(1.0, 2.0, 3.0)]),
        "collinear": shapes.points([(t, 2 * t, -t) for t in (0.0, 1.0, 1.7, 3.1)]),
        "collinear along an axis": shapes.carbon_dioxide(),
        "planar": shapes.points([(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.3, 1.2, 0.0), (2.0, 0.7, 0.0)]),
        "planar and symmetric": shapes.benzene(),
    }


def dense(
    graphs: Sequence[Graph], dtype: torch.dtype = torch.float64, pad_to: int | None = None
) -> DenseBatch:
    """Pads graphs to one batch.

    Args:
        graphs: Graphs, all with positions or all without.
        dtype: Type of the positions.
        pad_to: Number of nodes to pad to, that of the largest graph unless told more.
    Returns:
        The batch.
    """
    batch = collate(graphs, dtype)
    extra = 0 if pad_to is None else pad_to - batch.mask.shape[1]
    if extra == 0:
        return batch
    slots = torch.arange(batch.mask.shape[1], batch.mask.shape[1] + extra).expand(len(batch), -1)
    return DenseBatch(
        nodes=functional.pad(batch.nodes, (0, 0, 0, extra)),
        edges=functional.pad(batch.edges, (0, extra, 0, extra)),
        mask=functional.pad(batch.mask, (0, extra)),
        pos=None if batch.pos is None else functional.pad(batch.pos, (0, 0, 0, extra)),
        slot=torch.cat([batch.slot, slots], dim=1),
        mirror_slot=torch.cat([batch.mirror_slot, slots], dim=1),
        tie=None if batch.tie is None else functional.pad(batch.tie, (0, extra)),
        targets=batch.targets,
        numbers=None if batch.numbers is None else functional.pad(batch.numbers, (0, 0, 0, extra)),
        edge_numbers=None
        if batch.edge_numbers is None
        else functional.pad(batch.edge_numbers, (0, 0, 0, extra, 0, extra), value=torch.nan),
    )


def with_generic_weights(module: nn.Module, seed: int = 0, scale: float = 0.1) -> nn.Module:
    """Adds noise to all weights, in place: weights that start at zero would hide what they multiply."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator, dtype=weight.dtype), alpha=scale)
    return module
