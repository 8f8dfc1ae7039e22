"""Conformers as text: the mol blocks of SD files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from rdkit import Chem

from molae.chem.isomers import with_positions

# Lines of a block before those of the atoms, and the columns of such a line that hold the position.
_HEAD, _COLUMNS = 4, 30
_POSITION = "%10.4f" * 3


def mol_blocks(mol: Chem.Mol, positions: Float[np.ndarray, "s n 3"]) -> Iterator[str]:
    """Writes conformers, several times faster than RDKit writes one after the other.

    Wedges are left out: they belong to drawings, and what a conformer is, its positions say.

    Args:
        mol: Molecule; its own conformers are ignored, its name is written.
        positions: Positions of its atoms, in Å.
    Yields:
        A mol block for each conformer, V2000, or V3000 where the molecule does not fit into that.
    """
    lines = _block(mol, positions[0]).split("\n")
    if "V2000" not in lines[_HEAD - 1]:
        yield from (_block(mol, each) for each in positions)
        return
    end = _HEAD + mol.GetNumAtoms()
    lines = [line.replace("%", "%%") for line in lines]
    lines[_HEAD:end] = [_POSITION + line[_COLUMNS:] for line in lines[_HEAD:end]]
    form = "\n".join(lines)
    yield from (form % tuple(each.ravel().tolist()) for each in positions)


def _block(mol: Chem.Mol, pos: Float[np.ndarray, "n 3"]) -> str:
    return Chem.MolToMolBlock(with_positions(mol, pos[None]), includeStereo=False)
