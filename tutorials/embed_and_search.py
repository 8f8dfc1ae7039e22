"""Embed molecules and search among them.

Run it from the top of the repository: python tutorials/embed_and_search.py
"""

# %% Vectors from SMILES
from pathlib import Path

import numpy as np
from rdkit import Chem
from sklearn.neighbors import NearestNeighbors

import molae
from molae.chem.conformers import embed_conformer

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
left = embed_conformer(Chem.MolFromSmiles("C[C@H](N)C(=O)O"))
right = Chem.Mol(left)
for atom, (x, y, z) in enumerate(left.GetConformer().GetPositions()):
    right.GetConformer().SetAtomPosition(atom, (-x, -y, -z))
one, other = molae.embed([left, right])
even = molae.load("molecule").encoder.even_size
print(f"even part differs by {np.abs(one[:even] - other[:even]).max():.1e}")
print(f"odd part, one image plus the other: {np.abs(one[even:] + other[even:]).max():.1e}")
print(f"size of the odd part: {np.abs(one[even:]).max():.1e}")
