"""Molecules to test with, and their arrays in slot order."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

import numpy as np
from rdkit import Chem

from molae.chem.featurise import featurise_isomer
from molae.chem.parse import parse_smiles, prepare

ISOMERS = [line.split("\t")[0] for line in (Path(__file__).parent / "isomers.smi").read_text().splitlines()]


def molecule(smiles: str) -> Chem.Mol:
    return prepare(parse_smiles(smiles), coordinates=False).mol


def in_slots(mol: Chem.Mol) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Categories of nodes and edges, and ranks among equals, in the order of the slots."""
    graph = featurise_isomer(mol)
    order = np.argsort(graph.slot)
    return graph.nodes[order], graph.edges[np.ix_(order, order)], graph.tie[order]


def real(count: int) -> list[str]:
    """Molecules of several sources, where they are there."""
    folder = Path(os.environ.get("MOLAE_DATA", "../shared/data")) / "smiles"
    drawn = []
    for name in ("chembl_lm_20k", "zinc_natural_products_50k", "pubchem_substances_100k"):
        if (path := folder / f"{name}.smi.gz").exists():
            lines = gzip.decompress(path.read_bytes()).decode().splitlines()
            drawn += [line.split()[0] for line in random.Random(0).sample(lines, count)]
    return drawn
