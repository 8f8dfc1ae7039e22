"""Embed molecules and search among them.

Run it from the top of the repository: python tutorials/embed_and_search.py
"""

# %% Vectors from SMILES
from pathlib import Path

import numpy as np
from rdkit import Chem
from sklearn.neighbors import NearestNeighbors

import molae

lines = [line.split("\t") for line in Path("data/examples.smi").read_text().splitlines()]
smiles, names = [line[0] for line in lines], [line[1] for line in lines]
codes = molae.embed(smiles)
print(f"{codes.shape[0]} molecules, {codes.shape[1]} numbers each")

# %% The vector does not depend on how a molecule is written
mol = Chem.MolFromSmiles(smiles[0])
other = Chem.MolToSmiles(mol, doRandom=True, canonical=False)
difference = np.abs(molae.embed([smiles[0]]) - molae.embed([other])).max()
print(f"{smiles[0]} and {other}: largest difference {difference:.1e}")

# %% Nearest neighbours
search = NearestNeighbors(n_neighbors=3).fit(codes)
for row, found in enumerate(search.kneighbors(codes, return_distance=False)[:5]):
    print(f"{names[row]:>16}: nearest are {', '.join(names[j] for j in found if j != row)}")

# %% Mirror images share the even part of the vector and have opposite odd parts
left, right = molae.embed(["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"])
model = molae.load("molecule")
even = model.encoder.even_size
print(f"even part differs by {np.abs(left[:even] - right[:even]).max():.1e}")
print(f"odd part, first image plus second: {np.abs(left[even:] + right[even:]).max():.1e}")
