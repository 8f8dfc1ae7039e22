"""Draw molecules of a file of 3D structures and what is decoded from their vectors.

Run it as: python tutorials/draw_reconstructions.py STRUCTURES OUTPUT.png
Without arguments it draws molecules whose conformers it makes itself.
"""

# %% Molecules with 3D coordinates
import sys

import matplotlib.pyplot as plt
import numpy as np
from rdkit import Chem

import molae
from molae.io import open_rows

COLOURS = {"C": "#3b6fb6", "N": "#7b3fb5", "O": "#d1495b", "H": "#7fb2e5"}
COUNT = 12


def pick(path: str) -> list[Chem.Mol]:
    """Every 523rd molecule of the QM9 test rows (gdb_index a multiple of 20), as many as fit."""
    found: list[Chem.Mol] = []
    with open_rows(path) as reader:
        for chunk in reader:
            tested = np.asarray(chunk.columns["gdb_index"]) % 20 == 0
            found += [row.mol for row, take in zip(chunk.rows, tested, strict=True) if take]
    return found[200::523][:COUNT]


def draw(axes: plt.Axes, mol: Chem.Mol, turn: np.ndarray, *, shade: str | None) -> None:
    """Draws one molecule, bonds and heavy atoms, seen along the axis that `turn` puts last."""
    pos = mol.GetConformer().GetPositions() @ turn
    for bond in mol.GetBonds():
        ends = pos[[bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()]]
        width = 5 if shade else 1 + bond.GetBondTypeAsDouble()
        axes.plot(*ends[:, :2].T, color=shade or "#333333", lw=width, zorder=1 if shade else 2)
    if not shade:
        colours = [COLOURS.get(atom.GetSymbol(), "#555555") for atom in mol.GetAtoms()]
        axes.scatter(*pos[:, :2].T, c=colours, s=28, zorder=3)


# %% Decode and draw
arguments = sys.argv[1:]
smiles = ["CC1CC1C#N", "OCC1CCCO1", "CC(=O)NC1CC1", "C[C@H](O)C#N", "N#CC1CCCN1", "O=CC1CCC1"]
originals = pick(arguments[0]) if arguments else smiles
results = molae.reconstruct(originals, model="molecule-qm9")
figure, grid = plt.subplots(2, len(results) // 2, figsize=(1.7 * len(results) // 2, 3.6))
for axes, original, result in zip(grid.flat, originals, results, strict=True):
    if result.mol is not None:
        centred = result.mol.GetConformer().GetPositions()
        turn = np.linalg.svd(centred - centred.mean(0))[2].T
        if isinstance(original, Chem.Mol):
            draw(axes, Chem.RemoveHs(original), turn, shade="#d0d0d0")
        draw(axes, result.mol, turn, shade=None)
        axes.set_title(f"{result.rmsd:.3f} Å", fontsize=8)
    axes.set_aspect("equal")
    axes.axis("off")
figure.tight_layout()
output = arguments[1] if len(arguments) > 1 else "reconstruction.png"
figure.savefig(output, dpi=130)
print(f"wrote {output}: {sum(result.exact for result in results)} of {len(results)} exact")
