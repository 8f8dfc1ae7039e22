"""Train a small model on graphs that are no molecules, and use it. Needs `pip install "molae[graphs]"`.

Run it from the top of the repository: python tutorials/your_own_graphs.py
It takes about a minute; the model is a toy that shows the way.
"""

# %% Graphs of networkx, with labels on their nodes; those of PyTorch Geometric do as well
import subprocess
import tempfile
from pathlib import Path

import networkx as nx

import molae

folder = Path(tempfile.mkdtemp())
graphs = [nx.barabasi_albert_graph(5 + seed % 6, 2, seed=seed) for seed in range(300)]
for graph in graphs:
    hubs = {node: "hub" if degree > 3 else "leaf" for node, degree in graph.degree}
    nx.set_node_attributes(graph, hubs, "role")

# %% Pack and train. Folders of the TUDataset collection, graph6 files and tables of edges need no script:
# `molae pack DS/ -o mine.safetensors`, or their path as --data
print(molae.pack_graphs(graphs, folder / "mine.safetensors"))
(folder / "mine.toml").write_text("""
[model]
code_size = 64
encoder = {name = "slots", head_width = 64, head_depth = 1}
decoder = {name = "slots", head_width = 64, head_depth = 1}

[training]
steps = 300
batch_size = 32
learning_rate = 3e-3
warmup_steps = 20
validate_every = 100
validation_size = 30
""")
command = ["molae", "train", "--config", "mine.toml", "--data", "mine.safetensors", "--output", "run"]
subprocess.run(command, cwd=folder, check=True)

# %% Vectors, the same however the nodes are numbered; and from vectors back to graphs with their labels
model = molae.load(folder / "run" / "best")
vectors = molae.embed(graphs, model)
print(vectors.shape)
print(molae.decode_graphs(vectors[:1], model)[0].nodes(data=True))

# %% New graphs of the kind
for graph in molae.generate_graphs(3, vectors, model, seed=0):
    print(graph)
