"""From a folder of graphs to a trained model to vectors, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow.parquet as pq
import pytest
from smallgraphs import known_graphs, write_tu_folder
from typer.testing import CliRunner

from molae.batch.packed import PackedDataset
from molae.cli import app

CONFIG = """
[model]
code_size = 8
encoder = {name = "slots", width = 8, head_width = 16, head_depth = 1}
decoder = {name = "slots", width = 8, pair_width = 8, head_width = 16, head_depth = 1}

[training]
steps = 6
batch_size = 4
validate_every = 3
validation_size = 2
accelerator = "cpu"
"""


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text(CONFIG)
    return write_tu_folder(Path("DS"), known_graphs())


def test_pack_train_embed(folder: Path) -> None:
    code, _, err = invoke("pack", folder, "-o", "x.safetensors")
    assert code == 0, err
    assert "8 of 8 rows ok" in err
    code, _, err = invoke("train", "--config", "config.toml", "--data", "x.safetensors", "-o", "run")
    assert code == 0, err
    code, _, err = invoke("embed", folder, "--model", "run/best", "-o", "codes.parquet")
    assert code == 0, err
    codes = pq.read_table("codes.parquet")
    assert codes.column_names == ["graph", "label", "status", "error", "embedding"]
    assert codes["label"].to_pylist() == [str(len(graph)) for graph in known_graphs()]
    assert codes["status"].to_pylist() == ["ok"] * 8
    code, out, err = invoke("evaluate", "graphs", folder, "--model", "run/best", "--train", folder)
    assert code == 0, err
    assert "exact_rate" in out
    report = json.loads(Path("graphs.json").read_text())
    assert {"edge_nll", "edge_auc", "valid_rate", "novel_rate"} <= set(report["figures"])
    assert (report["figures"]["count"], report["code_size"], report["unread"]) == (8, 8, {})


def test_the_variational_form(folder: Path) -> None:
    regulariser = 'regulariser = {name = "variational", delay = 2, rise = 2}'
    Path("vae.toml").write_text(CONFIG.replace("code_size = 8", f"code_size = 8\n{regulariser}"))
    for resume in ((), ("--resume",)):
        code, _, err = invoke("train", "--config", "vae.toml", "--data", folder, "-o", "run", *resume)
        assert code == 0, err
    assert "train/divergence" in Path("run/metrics.csv").read_text()
    code, out, err = invoke(
        *("evaluate", "graphs", folder, "--model", "run/best", "--train", folder, "--prior", "normal")
    )
    assert code == 0, err
    assert "active_channels" in out
    figures = json.loads(Path("graphs.json").read_text())["figures"]
    assert {"divergence", "active_channels", "valid_rate"} <= set(figures)


def test_training_on_a_folder_itself(folder: Path) -> None:
    code, _, err = invoke("train", "--config", "config.toml", "--data", folder, "-o", "run")
    assert code == 0, err
    code, _, err = invoke("train", "--config", "config.toml", "--data", folder, "-o", "run", "--resume")
    assert code == 0, err
    assert len(list(Path("run").glob("data-*.safetensors"))) == 1


def test_files_of_graphs_with_bad_ones(folder: Path) -> None:
    Path("x.g6").write_text("Bw\nbad line\nCF\n")
    code, _, err = invoke("pack", "x.g6", "-o", "x.safetensors", "--max-nodes", "3")
    assert code == 0, err
    assert "1 of 3 rows ok; 2 failed" in err
    assert PackedDataset.load("x.safetensors").schema.max_nodes == 3
    Path("edges.csv").write_text("graph,source,target\na,1,2\na,2,3\nb,1,1\n")
    code, _, err = invoke("pack", "edges.csv", "-o", "x.safetensors")
    assert code == 0, err
    assert "failed (self_loop 1)" in err


def test_a_table_of_directed_edges_with_numbers(folder: Path) -> None:
    header, random = "graph,source,target,weight,rank,kind\n", np.random.default_rng(0)
    for name, count in (("train", 9), ("held-out", 4)):
        lines = [
            f"{graph},{node},{node + 1},{random.normal(3, 2):.3f},{node},{'ab'[node % 2]}\n"
            for graph in range(count)
            for node in range(3 + graph % 2)
        ]
        Path(f"{name}.csv").write_text(header + "".join(lines))
    for name in ("train", "held-out"):
        code, _, err = invoke(
            *("pack", f"{name}.csv", "-o", f"{name}.safetensors", "--directed", "--numbers", "rank"),
            *("--max-nodes", "5"),
        )
        assert code == 0, err
    assert "directed graphs; nodes: alike; edges: kind (2 labels), rank (continuous" in err
    assert "weight (continuous" in err
    code, _, err = invoke(
        *("train", "--config", "config.toml", "--data", "train.safetensors", "-o", "run"),
        *("--validation", "held-out.safetensors"),
    )
    assert code == 0, err
    Path("bad.csv").write_text(header + "x,1,2,nan,0,a\ny,1,2,0.5,0,b\n")
    code, _, err = invoke("embed", "bad.csv", "--model", "run/best", "-o", "codes.parquet")
    assert code == 0, err
    error = pq.read_table("codes.parquet")["error"].to_pylist()
    assert "edge attribute 'weight' is nan, not a finite number, on the edge from node 0 to 1" in error[0]
    assert error[1] is None
    code, out, err = invoke("evaluate", "graphs", "held-out.csv", "--model", "run/best")
    assert code == 0, err
    figures = json.loads(Path("graphs.json").read_text())["figures"]
    assert figures["count"] == 4
    assert figures["edge_weight_rmse"] > 0
    assert "edge_weight_rmse" in out
    code, _, err = invoke(
        *("pack", "train.csv", "-o", "x.safetensors", "--node-attributes", "", "--edge-attributes", "kind")
    )
    assert code == 0, err
    assert "undirected graphs; nodes: alike; edges: kind (2 labels)\n" in err


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    code, _, err = invoke("pack", tmp_path, "-o", tmp_path / "x.safetensors")
    assert code == 2
    assert "TUDataset" in err
    nx.write_gml(nx.path_graph(2), tmp_path / "x.gml")
    code, _, err = invoke("pack", tmp_path / "x.gml", "-o", tmp_path / "x.safetensors")
    assert code == 2
    assert "unknown suffix '.gml'" in err
