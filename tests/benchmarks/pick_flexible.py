"""Picks molecules for ensembles by quantum chemistry: of moderate size, flexible, uncharged.

How `data/ensembles_gfn2.parquet` was made. Its molecules are draws of the project's own, so that no test set
has them but by chance:

    molae generate -n 3000 --seed 7 -o new.smi
    python tests/benchmarks/pick_flexible.py new.smi picked.smi
    molae prepare picked.smi -o ensembles_gfn2.parquet --level gfn2 --model conformer -n 24 --most 5 \\
        --window 6 --exclude split/test.sdf.gz --exclude geom_drugs_test_smiles.csv \\
        --exclude geom_qm9_test_smiles.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rdkit import Chem
from rdkit.Chem.rdMolDescriptors import CalcNumRotatableBonds

HEAVY_ATOMS, ROTATABLE_BONDS, LARGEST_RING = range(12, 28), range(2, 9), 8


def is_wanted(mol: Chem.Mol) -> bool:
    """Whether the molecule is picked."""
    rings = mol.GetRingInfo().AtomRings()
    return (
        mol.GetNumHeavyAtoms() in HEAVY_ATOMS
        and CalcNumRotatableBonds(mol) in ROTATABLE_BONDS
        and max(map(len, rings), default=0) <= LARGEST_RING
        and Chem.GetFormalCharge(mol) == 0
        and len(Chem.GetMolFrags(mol)) == 1
    )


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("input", type=Path, help="SMILES file")
    made.add_argument("output", type=Path, help="SMILES file to write")
    arguments = made.parse_args()
    lines = dict.fromkeys(
        line.split()[0] for line in arguments.input.read_text().splitlines() if line.strip()
    )
    picked = [line for line in lines if (mol := Chem.MolFromSmiles(line)) is not None and is_wanted(mol)]
    arguments.output.write_text("".join(f"{line}\n" for line in picked))
    print(f"{len(picked)} of {len(lines)} molecules")


if __name__ == "__main__":
    main()
