"""What a model of conformers knows of a molecule: its heavy atoms and bonds, and which of the bonds turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from rdkit import Chem
from rdkit.Chem import BondType, HybridizationType

from molae.chem.torsions import Torsions, find_torsions
from molae.chem.vocabulary import ATOMIC_NUMBERS, CHARGES
from molae.errors import RowError

#: Hybridisations by category; category 0 is any other.
_HYBRIDISATION = {HybridizationType.SP: 1, HybridizationType.SP2: 2, HybridizationType.SP3: 3}
#: Bonds by category; 0 is none, and single bonds in conjugation come behind others.
_BOND = {BondType.SINGLE: 1, BondType.DOUBLE: 3, BondType.TRIPLE: 4, BondType.AROMATIC: 5}
_CONJUGATED = 2
_MOST_HYDROGENS, _MOST_NEIGHBOURS, _LARGEST_RING = 5, 5, 9

#: Names and sizes of the node channels, as `molae.batch.schema.Schema` takes them.
SKELETON_CHANNELS = (
    ("element", len(ATOMIC_NUMBERS)),
    ("charge", len(CHARGES)),
    ("hydrogens", _MOST_HYDROGENS + 1),
    ("hybridisation", len(_HYBRIDISATION) + 1),
    ("aromatic", 2),
    ("smallest_ring", _LARGEST_RING - 1),
    ("neighbours", _MOST_NEIGHBOURS + 1),
)
_CHANNEL = {name: place for place, (name, _) in enumerate(SKELETON_CHANNELS)}
#: Categories of a pair of atoms: no bond, or one of five kinds out of a ring, or in one.
SKELETON_BONDS = 1 + 2 * 5


@dataclass(frozen=True)
class Skeleton:
    """Heavy atoms of a molecule in the order in which it has them.

    Attributes:
        heavy: Number of each heavy atom in the molecule.
        nodes: Category of each in each channel.
        edges: Symmetric matrix of bond categories; 0 where there is none.
        hops: Bonds on the shortest way between two.
        torsions: The bonds that turn, by the atoms of the whole molecule.
        bonds: The ends of those among the heavy atoms.
        moved: Whether a heavy atom moves when a bond turns.
    """

    heavy: Int[np.ndarray, " n"]
    nodes: Int[np.ndarray, "n k"]
    edges: Int[np.ndarray, "n n"]
    hops: Int[np.ndarray, "n n"]
    torsions: Torsions
    bonds: Int[np.ndarray, "t 2"]
    moved: Bool[np.ndarray, "t n"]

    def __len__(self) -> int:
        return len(self.heavy)

    @property
    def has_flexible_ring(self) -> bool:
        """Whether a saturated atom lies in a ring, so that this may take several shapes."""
        saturated = self.nodes[:, _CHANNEL["hybridisation"]] == _HYBRIDISATION[HybridizationType.SP3]
        return bool((saturated & (self.nodes[:, _CHANNEL["smallest_ring"]] > 0)).any())


def skeleton(mol: Chem.Mol) -> Skeleton:
    """Finds what a model of conformers reads of a molecule.

    Args:
        mol: Sanitised molecule in one piece, all hydrogens atoms; its conformers are ignored.
    Returns:
        The skeleton.
    Raises:
        RowError: `unknown_element`, `unknown_charge` or `unknown_bond`, if the model knows no such thing;
            `fragments`, if the molecule is in several pieces; `no_atoms`, if it has no heavy atom.
    """
    heavy = np.array([atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1], dtype=np.int64)
    if not len(heavy):
        raise RowError("a molecule without heavy atoms", "no_atoms")
    rings = [set(ring) for ring in mol.GetRingInfo().AtomRings()]
    nodes = [_categories(mol.GetAtomWithIdx(int(atom)), rings) for atom in heavy]
    torsions = find_torsions(mol)
    place = np.full(mol.GetNumAtoms(), -1)
    place[heavy] = np.arange(len(heavy))
    hops = Chem.GetDistanceMatrix(mol)[np.ix_(heavy, heavy)]
    return Skeleton(
        heavy,
        np.array(nodes, dtype=np.int64),
        _edge_matrix(mol, place, len(heavy)),
        np.minimum(hops, np.iinfo(np.uint8).max).astype(np.int64),
        torsions,
        place[torsions.bonds],
        torsions.moved[:, heavy].astype(bool),
    )


def _categories(atom: Chem.Atom, rings: list[set[int]]) -> list[int]:
    if atom.GetAtomicNum() not in ATOMIC_NUMBERS:
        raise RowError(f"the model knows no element {atom.GetSymbol()}", "unknown_element")
    if atom.GetFormalCharge() not in CHARGES:
        raise RowError(f"the model knows no charge {atom.GetFormalCharge():+d}", "unknown_charge")
    neighbours = sum(other.GetAtomicNum() > 1 for other in atom.GetNeighbors())
    smallest = min((len(ring) for ring in rings if atom.GetIdx() in ring), default=2)
    return [
        ATOMIC_NUMBERS.index(atom.GetAtomicNum()),
        CHARGES.index(atom.GetFormalCharge()),
        min(atom.GetTotalNumHs(includeNeighbors=True), _MOST_HYDROGENS),
        _HYBRIDISATION.get(atom.GetHybridization(), 0),
        int(atom.GetIsAromatic()),
        min(smallest, _LARGEST_RING) - 2,
        min(neighbours, _MOST_NEIGHBOURS),
    ]


def _edge_matrix(mol: Chem.Mol, place: Int[np.ndarray, " a"], n: int) -> Int[np.ndarray, "n n"]:
    edges = np.zeros((n, n), dtype=np.int64)
    for bond in mol.GetBonds():
        i, j = place[bond.GetBeginAtomIdx()], place[bond.GetEndAtomIdx()]
        if min(i, j) >= 0:
            edges[i, j] = edges[j, i] = _bond(bond)
    return edges


def _bond(bond: Chem.Bond) -> int:
    kind = _BOND.get(bond.GetBondType())
    if kind is None:
        raise RowError(f"the model knows no bond of type {bond.GetBondType()}", "unknown_bond")
    if kind == _BOND[BondType.SINGLE] and bond.GetIsConjugated():
        kind = _CONJUGATED
    return kind + len(_BOND) + 1 if bond.IsInRing() else kind
