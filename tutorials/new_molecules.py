"""Draw new molecules from the prior of a model, keep the best, and draw some like your own.

Run it from the top of the repository: python tutorials/new_molecules.py [PICTURE.png]
"""

# %% A hundred draws; what does not decode to a valid molecule is None, and nothing is repaired
import sys

from rdkit import Chem
from rdkit.Chem import Draw
from rdkit.Chem.QED import qed

import molae
from molae.metrics.molecule_sets import is_whole

mols = molae.generate_molecules(100, model="graph", seed=0)
valid = [mol for mol in mols if mol is not None]
different = {Chem.MolToSmiles(mol) for mol in valid}
print(f"{len(valid)} of {len(mols)} are valid, {len(different)} of these differ")

# %% The first of those that are of one piece and have no unpaired electrons
whole = [mol for mol in valid if is_whole(mol)]
output = sys.argv[1] if len(sys.argv) > 1 else "new_molecules.png"
Draw.MolsToGridImage(whole[:10], molsPerRow=5, subImgSize=(240, 180)).save(output)

# %% The most drug-like of them, by the estimate of Bickerton et al. 2012
for mol in sorted(whole, key=qed, reverse=True)[:5]:
    print(f"{qed(mol):.2f}  {Chem.MolToSmiles(mol)}")

# %% Like these: the prior goes on learning with their codes for a moment
known = [
    "NS(=O)(=O)c1ccc(Cl)cc1",
    "NS(=O)(=O)c1ccc(C)cc1",
    "CC(=O)Nc1ccc(S(N)(=O)=O)cc1",
    "COc1ccc(S(N)(=O)=O)cc1",
    "NCCc1ccc(S(N)(=O)=O)cc1",
    "NS(=O)(=O)c1ccc(C(=O)O)cc1",
    "NS(=O)(=O)c1cccc(F)c1",
    "NS(=O)(=O)c1ccc(NCc2ccccc2)cc1",
]
sulfonamide = Chem.MolFromSmarts("NS(=O)(=O)c")
like = molae.generate_molecules(50, molae.embed(known, "graph"), "graph", seed=0)
found = {Chem.MolToSmiles(mol) for mol in like if mol is not None and mol.HasSubstructMatch(sulfonamide)}
known = {Chem.CanonSmiles(smiles) for smiles in known}
print(f"{len(found)} different sulfonamides, {len(found - known)} of them new, in {len(like)} draws")
print("\n".join(sorted(found - known)[:5]))
