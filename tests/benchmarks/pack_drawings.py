"""Packs SMILES with the coordinates of a 2D drawing, hundreds a second where conformers are ten.

A model learns to hold graphs from them before it sees many conformers; the shipped `molecule` model was
trained so.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from rdkit.Chem import rdDepictor
from split_smiles import molecules

from molae.batch.packed import pack
from molae.batch.schema import Schema
from molae.chem.featurise import featurise
from molae.chem.vocabulary import BONDS, NODE_CHANNELS
from molae.errors import RowError
from molae.types import Graph


def main() -> None:
    arguments = _arguments()
    schema = Schema(node_channels=NODE_CHANNELS, edge_types=len(BONDS), max_nodes=arguments.max_atoms)
    print(f"{pack(drawings(arguments), schema, arguments.output)} graphs packed")


def drawings(arguments: argparse.Namespace) -> Iterator[tuple[int, Graph]]:
    """The molecules that the model can take, numbered, with the positions of their drawings in Å."""
    for number, mol in enumerate(molecules(arguments.inputs)):
        rdDepictor.Compute2DCoords(mol)
        try:
            yield number, featurise(mol, arguments.max_atoms)
        except RowError:
            continue


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("inputs", nargs="+", type=Path, help="files of SMILES")
    made.add_argument("-o", "--output", type=Path, required=True, help="packed data set to write")
    made.add_argument("--max-atoms", type=int, default=50, help="most atoms of a molecule")
    return made.parse_args()


if __name__ == "__main__":
    main()
