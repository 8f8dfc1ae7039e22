"""Draw a map of molecules, and find the nearest of them. Needs `pip install "molae[explore]"`.

Run it from the top of the repository: python tutorials/explore_and_neighbours.py
"""

# %% Codes of molecules, in a file that tells which model they came from
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv
from rdkit import Chem
from rdkit.Chem.Crippen import MolLogP

import molae
from molae.apps.explore.codes import read_codes
from molae.apps.explore.search import nearest

folder = Path(tempfile.mkdtemp())
lines = [line.split("\t") for line in Path("data/examples.smi").read_text().splitlines()]
rows = [f"{smiles},{name},{MolLogP(Chem.MolFromSmiles(smiles)):.2f}" for smiles, name in lines]
(folder / "drugs.csv").write_text("\n".join(["smiles,name,logP", *rows]) + "\n")


def run(*arguments: str) -> None:
    print("molae", *arguments)
    subprocess.run(["molae", *arguments], cwd=folder, check=True)


run("embed", "drugs.csv", "--model", "graph", "-o", "codes.parquet")

# %% A map: open map.html in a browser. Structures appear under the pointer; type `C(=O)O` to see the acids.
# `--projection umap` keeps neighbours together better; it needs `pip install "molae[umap]"`
run("explore", "codes.parquet", "--color", "logP", "-o", "map.html")
print(f"{(folder / 'map.html').stat().st_size / 1e6:.1f} MB, script of plotly included")

# %% The nearest of the drugs to molecules of your own, which are embedded by the model of the codes
(folder / "mine.smi").write_text("CC(=O)Nc1ccc(OCC)cc1 phenacetin\nCN1C(=O)c2[nH]cnc2N(C)C1=O theophylline\n")
run("neighbours", "mine.smi", "codes.parquet", "-k", "2", "-o", "near.csv")
for row in pacsv.read_csv(folder / "near.csv").to_pylist():
    print(f"{row['query_id']:>14}: {row['rank']}. {row['neighbour_name']}, distance {row['distance']:.3f}")

# %% The drugs among themselves: with one file as both, no row is its own neighbour
run("neighbours", "codes.parquet", "codes.parquet", "-k", "1", "-o", "pairs.csv")
pairs = sorted(pacsv.read_csv(folder / "pairs.csv").to_pylist(), key=lambda row: row["distance"])
print(f"nearest pair: {pairs[0]['query_id']} and {pairs[0]['neighbour_name']}")

# %% The same in Python
codes = read_codes(folder / "codes.parquet")
query = molae.embed(["CC(=O)Nc1ccc(OCC)cc1"], "graph")
size = codes.compared.shape[1]  # the summary, which the code of a molecule begins with
distances, places = nearest(query[:, :size], codes.compared, k=3)
print([codes.texts("name")[place] for place in places[0]], np.round(distances[0], 3))
