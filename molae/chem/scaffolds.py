"""What molecules have in common, for splits that tell how a model does on chemistry it has not seen."""

from __future__ import annotations

from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold


def scaffold(mol: Chem.Mol) -> str:
    """The Bemis-Murcko scaffold (1996, doi:10.1021/jm9602928): rings, and the chains that join them.

    Args:
        mol: Sanitised molecule.
    Returns:
        SMILES of the scaffold without stereo; empty for a molecule without rings.

    >>> scaffold(Chem.MolFromSmiles("CCc1ccc(CC2CC2)cc1O"))
    'c1ccc(CC2CC2)cc1'
    """
    return MurckoScaffold.MurckoScaffoldSmiles(mol=mol, includeChirality=False)


def skeleton(mol: Chem.Mol) -> str:
    """Canonical SMILES without stereo: what all stereoisomers of a molecule share.

    >>> skeleton(Chem.MolFromSmiles("C[C@H](F)Cl"))
    'CC(F)Cl'
    """
    return Chem.MolToSmiles(mol, isomericSmiles=False)
