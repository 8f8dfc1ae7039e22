"""Draw new molecules from the prior of a model, keep the best, and ask how usual a molecule is.

Run it from the top of the repository: python tutorials/new_molecules.py
"""

# %% A hundred draws; what does not decode to a valid molecule is None, and nothing is repaired
from rdkit import Chem
from rdkit.Chem.QED import qed

import molae

mols = molae.generate_molecules(100, model="graph", seed=0)
valid = [mol for mol in mols if mol is not None]
different = {Chem.MolToSmiles(mol) for mol in valid}
print(f"{len(valid)} of {len(mols)} are valid, {len(different)} of these differ")

# %% The most drug-like of them, by the estimate of Bickerton et al. 2012
for mol in sorted(valid, key=qed, reverse=True)[:5]:
    print(f"{qed(mol):.2f}  {Chem.MolToSmiles(mol)}")

# %% New molecules like some of your own: a prior that is fitted to their codes
known = ["CCO", "CCCO", "CCCCO", "CC(C)O", "CC(C)CO", "OCCO", "OCCCO", "CC(O)CO"] * 4
like = molae.generate_molecules(
    20,
    molae.embed(known, "graph"),
    "graph",
    prior={"name": "autoregressive", "width": 64, "layers": 2, "steps": 100},
)
print("alcohols:", ", ".join(sorted({Chem.MolToSmiles(mol) for mol in like if mol is not None})))
