"""What the codes of models know of molecules, and how smooth they are.

For each model, or each part of a code that has a summary, on the molecules of a file:

    R2 of ...   share of the variance of a property that a linear model finds in the code, on folds that it
                was not fitted on (ridge regression, five folds by Bemis-Murcko scaffold)
    neighbour   mean Tanimoto similarity (ECFP4) of each molecule to its nearest neighbour in the code
    edit        how far a small change moves the code, by the distance of two random molecules: median over
                molecules in which a hydrogen of an aromatic carbon, drawn by the seed, becomes fluorine

Beside them ECFP4 counts and RDKit's descriptors, which the properties are among, standardised as the codes
are. A summary was taught the descriptors (of other molecules), the rest of a code nothing but the molecule.
Distances are Euclidean.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from report import parser, publish
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import molae
from molae.apps.molecules import Molecule, molecule_schema, read_molecule
from molae.apps.rows import Source
from molae.chem.descriptors import TAUGHT_DESCRIPTORS, descriptors, ecfp_counts
from molae.chem.parse import MAX_ATOMS
from molae.chem.scaffolds import scaffold
from molae.errors import RowError

PROPERTIES = ("HeavyAtomCount", "RingCount", "MolLogP", "TPSA", "qed", "FractionCSP3")
_AROMATIC_CH = Chem.MolFromSmarts("[cH]")


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    mols = read(arguments.input, arguments.limit)
    changed = change(mols, arguments.seed)
    rows = []
    for name, vectors, edited in representations(arguments.models, mols, changed):
        rows.append(
            {"vectors": name, "numbers": vectors.shape[1], **figures(vectors, edited, mols, arguments.seed)}
        )
    publish(rows, arguments, molecules=len(mols), edited=sum(each is not None for each in changed))


def read(path: Path, limit: int) -> list[Chem.Mol]:
    """The first molecules of a file that can be read."""
    mols: list[Chem.Mol] = []
    schema = molecule_schema(MAX_ATOMS, coordinates=False)
    with Source(path).open() as reader:
        for chunk in reader:
            for row in chunk.rows:
                try:
                    found: Molecule = read_molecule(row.smiles, schema)
                except RowError:
                    continue
                mols.append(found.mol)
                if len(mols) == limit:
                    return mols
    return mols


def change(mols: Sequence[Chem.Mol], seed: int) -> list[Chem.Mol | None]:
    """Each molecule with a fluorine for one aromatic hydrogen; None where there is none."""
    random = np.random.default_rng(seed)
    changed: list[Chem.Mol | None] = []
    for mol in mols:
        places = [place for (place,) in mol.GetSubstructMatches(_AROMATIC_CH)]
        if not places:
            changed.append(None)
            continue
        editable = Chem.RWMol(mol)
        editable.AddBond(int(random.choice(places)), editable.AddAtom(Chem.Atom("F")), Chem.BondType.SINGLE)
        edited = editable.GetMol()
        Chem.SanitizeMol(edited)
        changed.append(edited)
    return changed


def representations(
    models: Sequence[str], mols: Sequence[Chem.Mol], changed: Sequence[Chem.Mol | None]
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, vectors of the molecules and vectors of the changed ones, NaN where there is none."""
    found = []
    for name in models:
        model = molae.load(name)
        own, other = (molae.embed([_smiles(mol) for mol in each], model=model) for each in (mols, changed))
        short, size = Path(name).name, model.encoder.summary_size
        if size:
            found.append((f"{short}: summary", own[:, :size], other[:, :size]))
            found.append((f"{short}: the rest", own[:, size:], other[:, size:]))
        else:
            found.append((short, own, other))
    for name, describe in (("ECFP4 counts", ecfp_counts), ("RDKit descriptors", _descriptors)):
        own = np.array([describe(mol) for mol in mols])
        nothing = np.full(own.shape[1], np.nan)
        found.append((name, own, np.array([nothing if mol is None else describe(mol) for mol in changed])))
    return found


def figures(vectors: np.ndarray, edited: np.ndarray, mols: Sequence[Chem.Mol], seed: int) -> dict[str, Any]:
    """The columns of one row."""
    read = np.isfinite(vectors).all(axis=1)
    scaler = StandardScaler().fit(vectors[read])
    own, other = scaler.transform(vectors[read]), scaler.transform(edited[read])
    kept = [mol for mol, good in zip(mols, read, strict=True) if good]
    groups = np.unique([scaffold(mol) for mol in kept], return_inverse=True)[1]
    truth = np.array([descriptors(mol, PROPERTIES) for mol in kept], dtype=np.float64)
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 5, 8)))
    row: dict[str, Any] = {"read": len(kept)}
    for name, values in zip(PROPERTIES, truth.T, strict=True):
        predicted = cross_val_predict(ridge, own, values, groups=groups, cv=GroupKFold(5))
        row[f"R2 of {name}"] = float(r2_score(values, predicted))
    row["neighbour"] = _neighbour_similarity(own, kept)
    row["edit"] = _edit_distance(own, other, seed)
    return row


def _neighbour_similarity(vectors: np.ndarray, mols: Sequence[Chem.Mol]) -> float:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetFingerprint(mol) for mol in mols]
    distances = euclidean_distances(vectors)
    np.fill_diagonal(distances, np.inf)
    return float(
        np.mean(
            [
                DataStructs.TanimotoSimilarity(prints[i], prints[j])
                for i, j in enumerate(distances.argmin(axis=1))
            ]
        )
    )


def _edit_distance(own: np.ndarray, other: np.ndarray, seed: int) -> float:
    there = np.isfinite(other).all(axis=1)
    moved = np.linalg.norm(own[there] - other[there], axis=1)
    apart = np.linalg.norm(own - own[np.random.default_rng(seed).permutation(len(own))], axis=1)
    return float(np.median(moved) / np.median(apart[apart > 0]))


def _descriptors(mol: Chem.Mol) -> np.ndarray:
    return np.nan_to_num(descriptors(mol, TAUGHT_DESCRIPTORS))


def _smiles(mol: Chem.Mol | None) -> str | None:
    return None if mol is None else Chem.MolToSmiles(mol)


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("input", type=Path, help="file of molecules")
    made.add_argument("--models", nargs="+", default=["graph"], help="names or paths of models")
    made.add_argument("--limit", type=int, default=2000, help="molecules to take (default 2000)")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
