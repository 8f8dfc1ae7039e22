"""Which atoms and bonds a molecule model knows, and how they are numbered."""

from __future__ import annotations

from rdkit.Chem import BondType, GetPeriodicTable

#: Element symbols by category.
ELEMENTS = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Se", "Br", "I")
#: Formal charges by category.
CHARGES = (0, 1, -1, 2, -2, 3, -3)
#: Hydrogen atoms that are not nodes of the graph: category h means h of them.
MOST_HYDROGENS = 4
#: Unpaired electrons: category r means r of them.
MOST_RADICALS = 2
#: Bond types by category; category 0 means that there is no bond.
BONDS = (BondType.ZERO, BondType.SINGLE, BondType.DOUBLE, BondType.TRIPLE, BondType.AROMATIC)

#: Bond categories behind those of `BONDS`, where a molecule has no positions: a double bond of which the
#: neighbours of lowest slot, one at each end, lie on the same side, or on opposite sides.
CIS, TRANS = len(BONDS), len(BONDS) + 1

ATOMIC_NUMBERS = tuple(GetPeriodicTable().GetAtomicNumber(symbol) for symbol in ELEMENTS)

#: Names and sizes of the node channels, as `molae.batch.schema.Schema` takes them.
NODE_CHANNELS = (
    ("element", len(ELEMENTS)),
    ("charge", len(CHARGES)),
    ("hydrogens", MOST_HYDROGENS + 1),
    ("radicals", MOST_RADICALS + 1),
)

#: Categories of the configuration of an atom, where a molecule has no positions: none or not known; or, seen
#: from its neighbour of lowest slot, the others follow anticlockwise, or clockwise, in the order of their
#: slots. A hydrogen that is not a node, or a lone pair, comes last.
PARITIES = ("", "@", "@@")

#: Node channels and number of bond categories of molecules without positions, whose stereo is in categories.
ISOMER_CHANNELS = (*NODE_CHANNELS, ("parity", len(PARITIES)))
ISOMER_BONDS = len(BONDS) + 2
