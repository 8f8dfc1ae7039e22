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

# %% Vectors that came from anywhere become molecules: here the mean of two
vectors = molae.embed(["CCCO", "CCCN"], model="molecule-qm9")
(between,) = molae.decode_molecules(vectors.mean(axis=0, keepdims=True), model="molecule-qm9")
print("between CCCO and CCCN:", "no valid molecule" if between is None else Chem.MolToSmiles(between))

# %% The straight line between two vectors
for step, mol in enumerate(molae.interpolate("CCCCO", "C1CCOC1", steps=7, model="molecule-qm9")):
    print(step, "no valid molecule" if mol is None else Chem.MolToSmiles(mol))
