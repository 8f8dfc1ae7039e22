"""Molecules without positions as lines, and the arrays of many lines made at once.

What such a molecule is made of stands in its canonical SMILES, atoms in the order of the slots. Arrays are
made of the SMILES of thousands of molecules together in a fraction of the time that RDKit takes to be asked
molecule by molecule.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from rdkit import Chem
from rdkit.Chem import rdqueries

from molae.chem.bonds import Bonds, read_bonds
from molae.chem.categories import CHARGE, atom_categories, require_bonds, require_size
from molae.chem.centres import read_centres
from molae.chem.parity import sides
from molae.chem.vocabulary import BONDS, ELEMENTS, ISOMER_CHANNELS, MOST_HYDROGENS
from molae.chem.written import Written, write
from molae.errors import RowError

_SYMBOL = {symbol: category for category, symbol in enumerate(ELEMENTS)}
_RADICALS, _PARITY = (
    [name for name, _ in ISOMER_CHANNELS].index(channel) for channel in ("radicals", "parity")
)
_WRITTEN_CHANNELS = 3
_SINGLE = BONDS.index(Chem.BondType.SINGLE)
# Not aromatic itself, between aromatic atoms.
_SINGLE_AROMATIC = Chem.MolFromSmarts("a-a")
_RADICAL = rdqueries.NumRadicalElectronsGreaterQueryAtom(0)
_ATOM = re.compile(r"(?P<element>se|si|[bcnops]|[A-Z][a-z]?)@*(?:H(?P<hydrogens>\d*))?(?P<charge>[+-]\d*)?\]")
# Signs of bonds that no model knows.
_UNKNOWN_BONDS = "$~<>"


@dataclass(frozen=True)
class Line:
    """A molecule without positions, its atoms in the order of the slots.

    Attributes:
        smiles: Canonical SMILES, as `molae.chem.written.write` gives it.
        atoms: Element, charge and hydrogens of each atom, a byte for each category.
        unpaired: Slot and category of atoms with unpaired electrons.
        bonds: Lower and higher slot, and category, of the bonds that are not told by how they are written:
            double bonds whose geometry is known where there may be several, and single bonds between aromatic
            atoms where such a double bond ends at one.
    """

    smiles: str
    atoms: bytes
    unpaired: tuple[tuple[int, int], ...]
    bonds: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        return len(self.atoms) // _WRITTEN_CHANNELS


class LineArrays(NamedTuple):
    """Molecules in arrays, one after the other.

    Attributes:
        sizes: Number of atoms of each molecule.
        nodes: Categories of the atoms in the channels of `molae.chem.vocabulary.ISOMER_CHANNELS`.
        bonds: The bonds, their atoms numbered by slots.
    """

    sizes: Int[np.ndarray, " g"]
    nodes: UInt8[np.ndarray, "n k"]
    bonds: Bonds

    def part(self, start: int, stop: int) -> LineArrays:
        """The molecules from one on to ahead of another."""
        first, last = self.sizes[:start].sum(), self.sizes[:stop].sum()
        return LineArrays(self.sizes[start:stop], self.nodes[first:last], self.bonds.part(start, stop))


def write_line(mol: Chem.Mol, max_nodes: int | None = None, closed_shell: bool = False) -> Line:
    """Writes a molecule as a line.

    Args:
        mol: Sanitised molecule with its stereo assigned.
        max_nodes: Most nodes that the model takes.
        closed_shell: Whether it is known that no electron is unpaired.
    Returns:
        The line.
    Raises:
        RowError: If an atom or bond is outside the vocabulary, or the molecule is too large.
    """
    require_size(mol, max_nodes)
    return line_of(mol, write(mol), closed_shell)


def line_of(mol: Chem.Mol, written: Written, closed_shell: bool = False) -> Line:
    """The line of a molecule that was written (`closed_shell`: see `write_line`).

    Raises:
        RowError: If an atom or bond is outside the vocabulary.
    """
    atoms = written.atoms
    rows = [_read(text) or _asked(mol, written, slot) for slot, text in enumerate(atoms)]
    # Few molecules have any, and this is quicker than to ask all of their atoms.
    radical = not closed_shell and len(mol.GetAtomsMatchingQuery(_RADICAL)) > 0
    if any(sign in written.smiles for sign in _UNKNOWN_BONDS):
        require_bonds(mol)
    if "%(" in written.smiles:
        raise RowError("a hundred rings that are open at once where it is written", "too_large")
    unpaired = _unpaired(mol, written) if radical else ()
    told = not written.has_sides or _tells_bonds(written.smiles, atoms)
    return Line(written.smiles, b"".join(rows), unpaired, () if told else untold_bonds(mol, written))


def make_arrays(lines: Sequence[Line]) -> LineArrays:
    """Makes the arrays of molecules, all at once.

    Args:
        lines: The molecules.
    Returns:
        Their atoms and bonds.
    """
    sizes = np.array([len(line) for line in lines], dtype=np.int64)
    bonds = read_bonds([line.smiles for line in lines])
    end = np.cumsum(bonds.counts)
    for line, last, count in zip(lines, end.tolist(), bonds.counts.tolist(), strict=True):
        for i, j, category in line.bonds:
            rows = bonds.rows[last - count : last]
            rows[(rows[:, 0] == i) & (rows[:, 1] == j), 2] = category
    return LineArrays(sizes, make_nodes(lines), bonds)


def make_nodes(lines: Sequence[Line]) -> UInt8[np.ndarray, "n k"]:
    """Categories of the atoms of molecules, one molecule after the other."""
    told = np.frombuffer(b"".join(line.atoms for line in lines), dtype=np.uint8)
    told = told.reshape(-1, _WRITTEN_CHANNELS)
    nodes = np.zeros((len(told), len(ISOMER_CHANNELS)), dtype=np.uint8)
    nodes[:, :_WRITTEN_CHANNELS] = told
    start = np.cumsum([0, *map(len, lines)])
    for first, line in zip(start.tolist(), lines, strict=False):
        for slot, category in line.unpaired:
            nodes[first + slot, _RADICALS] = category
    if chiral := [place for place, line in enumerate(lines) if "@" in line.smiles]:
        centres = read_centres([lines[place].smiles for place in chiral])
        nodes[start[chiral][centres.graph] + centres.atom, _PARITY] = centres.parity
    return nodes


def _asked(mol: Chem.Mol, written: Written, slot: int) -> bytes:
    atom = mol.GetAtomWithIdx(written.order[slot])
    return bytes(atom_categories(atom)[:_WRITTEN_CHANNELS])


@lru_cache(maxsize=16384)
def _read(text: str) -> bytes | None:
    """Reads the categories, a byte each, of one of `Written.atoms`; None where it must be asked itself."""
    found = _ATOM.match(text)
    if found is None:
        return None
    element, hydrogens, charge = found.group("element", "hydrogens", "charge")
    category = _SYMBOL.get(element.capitalize())
    charges = CHARGE.get(0 if charge is None else int(charge if charge[1:] else f"{charge}1"))
    count = 0 if hydrogens is None else int(hydrogens or 1)
    if category is None or charges is None or count > MOST_HYDROGENS:
        return None
    return bytes((category, charges, count))


def _unpaired(mol: Chem.Mol, written: Written) -> tuple[tuple[int, int], ...]:
    """Unpaired electrons, which are not written."""
    atoms = [mol.GetAtomWithIdx(atom) for atom in written.order]
    categories = [atom_categories(atom)[_RADICALS] for atom in atoms]
    return tuple((slot, category) for slot, category in enumerate(categories) if category)


def _tells_bonds(smiles: str, atoms: Sequence[str]) -> bool:
    """Whether `read_bonds` learns all bonds of a SMILES with directions: it has two, which are for one double
    bond, and no aromatic atom has a double bond, beside which a single one may be written with a direction.
    """
    if smiles.count("/") + smiles.count("\\") != 2:
        return False
    for atom, following in zip(atoms, [*atoms[1:], ""], strict=True):
        if "=" in atom:
            # Else another atom has it: that ahead of a branch, or at the other end of a ring.
            own = atom.endswith("=") and ")" not in atom
            if not own or atom[0].islower() or following[0].islower():
                return False
    return True


def untold_bonds(mol: Chem.Mol, written: Written) -> tuple[tuple[int, int, int], ...]:
    """Slots and categories of the bonds that `read_bonds` may not learn, of a molecule with directions."""
    order = written.order
    slot = sorted(range(len(order)), key=order.__getitem__)
    categories = sides(mol, slot)
    # Only beside a double bond is one written with a direction.
    if any(mol.GetAtomWithIdx(atom).GetIsAromatic() for atom in chain.from_iterable(categories)):
        single = mol.GetSubstructMatches(_SINGLE_AROMATIC, uniquify=True, maxMatches=mol.GetNumBonds())
        categories |= dict.fromkeys(single, _SINGLE)
    ends = [(slot[i], slot[j], category) for (i, j), category in categories.items()]
    return tuple((min(i, j), max(i, j), category) for i, j, category in ends)
