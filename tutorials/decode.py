"""Decode vectors again, and walk from one molecule to another.

Run it from the top of the repository: python tutorials/decode.py
"""

# %% What the vector holds: decode it and compare
from rdkit import Chem

import molae

smiles = ["CCO", "CC1CC1C#N", "O=C1CCCN1", "C[C@H](O)C#N", "not a molecule"]
for original, result in zip(smiles, molae.reconstruct(smiles, model="molecule-qm9"), strict=True):
    if result.smiles is None:
        print(f"{original:>16}: {result.error}")
    else:
        print(f"{original:>16}: {result.smiles}, exact: {result.exact}, RMSD {result.rmsd:.3f} Å")

# %% Vectors alone become molecules again; a row of NaN stands for what could not be read
vectors = molae.embed(smiles, model="molecule-qm9")
for mol in molae.decode_molecules(vectors, model="molecule-qm9"):
    print("no molecule" if mol is None else f"{Chem.MolToSmiles(mol)}, {mol.GetNumConformers()} conformer")

# %% The straight line between two vectors
for step, mol in enumerate(molae.interpolate("CCCCO", "C1CCOC1", steps=7, model="molecule-qm9")):
    print(step, "no valid molecule" if mol is None else Chem.MolToSmiles(mol))
