"""How well conformers that are chosen by energy, of many that a model draws, cover references.

    python tests/benchmarks/conformer_ranking.py split/test.sdf.gz --minima energies.csv.gz --gfn2

For K references `--draws` times K conformers are drawn and relaxed by MMFF94s, and of them are chosen:

    drawn       the first 2 K, whatever their energy
    lowest      the 2 K, or K, lowest that differ by 0.3 Å
    Boltzmann   2 K, each as likely as its energy says at `--temperature`

by MMFF94s, or, with `--gfn2`, by GFN2-xTB where MMFF94s left them too (some 0.1 s for each). That is about
what a model could do that had learned all that the energies tell.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rdkit import Chem
from report import parser, publish
from scipy import constants

from molae.apps.conformers.ensembles import Ensemble, read_references
from molae.apps.conformers.generator import open_generator
from molae.apps.conformers.isomers import read_whole
from molae.apps.conformers.sampled import (
    SAME_MINIMUM,
    Request,
    energies_by_gfn2,
    relax_sampled,
    sample_conformers,
)
from molae.apps.molecules import as_source
from molae.chem.heavy import distinct, rmsd_matrix
from molae.chem.isomers import with_positions
from molae.errors import RowError
from molae.metrics.conformers import EnsembleComparison, summarise_ensembles

FIGURES = {
    "AMR-R mean / Å": "amr_recall_mean",
    "AMR-R median / Å": "amr_recall_median",
    "COV-R / 0.75 Å": "coverage_recall_0.75_mean",
    "AMR-P mean / Å": "amr_precision_mean",
    "AMR-P median / Å": "amr_precision_median",
    "COV-P / 0.75 Å": "coverage_precision_0.75_mean",
}
_KCAL_PER_KELVIN = constants.R / (1000 * constants.calorie)


@dataclass(frozen=True)
class Pool:
    """Relaxed conformers of one molecule, in the order in which they were drawn.

    Attributes:
        mol: The molecule with the conformers.
        energies: Their energies in kcal/mol by each method.
        distances: Heavy-atom RMSD to each reference in Å, a row for a reference.
    """

    mol: Chem.Mol
    energies: dict[str, np.ndarray]
    distances: np.ndarray


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    found: dict[str, list[EnsembleComparison]] = defaultdict(list)
    molecules = read_references(arguments.input, arguments.minima).molecules[: arguments.limit]
    for reference in molecules:
        try:
            pool = draw(reference, arguments)
        except RowError as error:
            print(f"{reference.name}: {error.reason}")
            continue
        for name, places in chosen(pool, len(reference.conformers), arguments):
            found[name].append(EnsembleComparison(pool.distances[:, places]))
    rows = []
    for name, comparisons in found.items():
        figures = summarise_ensembles(comparisons)
        rows.append({"chosen": name} | {title: figures[key] for title, key in FIGURES.items()})
    publish(rows, arguments)


def draw(reference: Ensemble, arguments: argparse.Namespace) -> Pool:
    """Draws conformers of the molecule of some references, and relaxes them."""
    mol, _ = read_whole(as_source(reference.smiles))
    request = Request(arguments.draws * len(reference.conformers), arguments.seed)
    drawn = sample_conformers(mol, open_generator(arguments.model), request)
    # What is relaxed comes by energy: the numbers put it back in order.
    numbered = replace(drawn, made_by=tuple(str(place) for place in range(len(drawn.positions))))
    relaxed = relax_sampled(mol, numbered, "mmff")
    relaxed = relaxed.take(np.argsort([int(number) for number in relaxed.made_by]).tolist())
    energies = {"MMFF94s": relaxed.energies}
    if arguments.gfn2:
        energies["GFN2-xTB"] = energies_by_gfn2(mol, relaxed)
    mols = [with_positions(mol, each[None]) for each in relaxed.positions]
    return Pool(with_positions(mol, relaxed.positions), energies, rmsd_matrix(reference.conformers, mols))


def chosen(pool: Pool, count: int, arguments: argparse.Namespace) -> Iterator[tuple[str, list[int]]]:
    """Names of the ways to choose, and the places of what each chooses."""
    yield "drawn, 2 K", list(range(min(2 * count, pool.distances.shape[1])))
    for method, energies in pool.energies.items():
        order = np.argsort(energies, kind="stable")
        sorted_mol = with_positions(
            pool.mol, np.array([pool.mol.GetConformer(int(place)).GetPositions() for place in order])
        )
        lowest = order[distinct(sorted_mol, SAME_MINIMUM["mmff"], most=2 * count)].tolist()
        yield f"lowest by {method}, 2 K", lowest
        yield f"lowest by {method}, K", lowest[:count]
        above = energies - energies.min()
        weights = np.exp(-above / (_KCAL_PER_KELVIN * arguments.temperature))
        random = np.random.default_rng(arguments.seed)
        drawn = random.choice(len(energies), 2 * count, p=weights / weights.sum())
        yield f"Boltzmann by {method}, 2 K", drawn.tolist()


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("input", type=Path, help="SD file of reference conformers")
    made.add_argument("--minima", type=Path, help="table of their minimum_index (see molae evaluate)")
    made.add_argument("--model", default="conformer")
    made.add_argument("--draws", type=int, default=8, help="conformers that are drawn for each reference")
    made.add_argument("--gfn2", action="store_true", help="choose by GFN2-xTB too (needs tblite)")
    made.add_argument("--temperature", type=float, default=500.0, help="in K")
    made.add_argument("--limit", type=int, help="most molecules, the first ones")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
