"""How well codes hold random graphs: trains on a family of graphs and measures the reconstruction of others.

    python tests/benchmarks/graph_families.py er --code-size 64 --steps 5000

Families, after Winter et al. 2021 (arXiv:2104.09856), with 12 to 20 nodes: `er`, Erdős-Rényi graphs with
edges of probability 0.5; `ba`, Barabási-Albert graphs of which each new node brings 4 edges; `ego`, the
neighbourhoods of nodes in Erdős-Rényi graphs of 20 to 40 nodes with probability 0.2 to 0.6, where they have
12 to 20 nodes. The paper gives NLL per graph and area under the ROC curve 20.5 and 98.3 % (er), 27.2 and
96.7 % (ba), 23.4 and 97.8 % (ego) for a code of one small size; a code can have any size here, and figures of
different sizes do not compare.

`community-published`, after Satorras et al. 2021 (arXiv:2102.09844) and their code: two halves of 6 to 10
nodes each, of which there are but two of each size, with few edges between; `community`, the same with halves
drawn anew for every graph, which is much harder. The paper gives for 5,000 training graphs, with a code for
every node, 2.14 for the cross-entropy, 0.06 % wrong pairs and F1 0.999; its cross-entropy counts each pair
twice, as `bce_both_ways` does here.

`dag`, directed acyclic graphs of 12 to 20 nodes, an edge for one of five pairs, with a number on every node
and edge (linear structural equations): the error of the numbers is given beside, in their own units. No peer.

All are drawn from seeds here: not the graphs of the papers, whose sets are not published.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from random_graphs import FAMILIES, MOST, draw
from report import parser, publish

from molae.apps.evaluate_graphs import compare_graphs
from molae.apps.graphs import pack_graphs
from molae.apps.loading import open_model
from molae.apps.reading import try_sample
from molae.apps.samples import Sample
from molae.graphs.convert import from_networkx
from molae.metrics.graphs import summarise_graphs
from molae.training import parse_config, train
from molae.training.config import read_config

CONFIG = Path(__file__).parents[2] / "data" / "configs" / "any-graph.toml"


def main(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    packed = folder / f"{arguments.family}-{arguments.graphs}.safetensors"
    if not packed.exists():
        pack_graphs(draw(arguments.family, arguments.graphs, 0), packed, max_nodes=MOST)
    settings = read_config(CONFIG).model_dump(mode="json")
    settings["model"]["code_size"] = arguments.code_size
    settings["training"] |= {"steps": arguments.steps, "validate_every": max(arguments.steps // 4, 1)}
    settings["augment"] = {"mutate": arguments.mutate, "node_rate": 0.02, "edge_rate": 0.01}
    output = folder / f"{arguments.family}-{arguments.code_size}-{arguments.steps}-{arguments.mutate:g}"
    wall, cpu = time.monotonic(), time.process_time()
    train(parse_config(settings), packed, output)
    minutes = {
        "wall_minutes": (time.monotonic() - wall) / 60,
        "cpu_minutes": (time.process_time() - cpu) / 60,
    }
    model = open_model(output / "best", "cpu", kind="graphs")
    tests = [try_sample(from_networkx(graph), model.schema) for graph in draw(arguments.family, 2000, 1)]
    figures = summarise_graphs(compare_graphs(model, [each for each in tests if isinstance(each, Sample)]))
    figures["bce_both_ways"] = 2 * figures["edge_nll"]
    publish([{"family": arguments.family, "code_size": arguments.code_size, **figures, **minutes}], arguments)


if __name__ == "__main__":
    made = parser(__doc__)
    made.add_argument("family", choices=FAMILIES)
    made.add_argument("--code-size", type=int, default=64)
    made.add_argument("--steps", type=int, default=5000)
    made.add_argument("--graphs", type=int, default=20_000, help="graphs to train on")
    made.add_argument("--mutate", type=float, default=0.0, help="share of graphs with edges changed")
    made.add_argument("--folder", type=Path, default=Path("graph-families"), help="folder for what is made")
    main(made.parse_args())
