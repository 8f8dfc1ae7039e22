"""Files of graphs: graph6, lists of edges, folders of the TUDataset collection."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molae.errors import DataError, RowError
from molae.graphs.labelled import as_directed
from molae.io import Row, open_rows
from molae.io.graph6 import read_graph6


def rows(path: Path) -> list[Row]:
    with open_rows(path) as reader:
        return [row for chunk in reader for row in chunk.rows]


def kinds(found: list[Row]) -> list[str | None]:
    return [row.error.kind if row.error else None for row in found]


@given(st.integers(1, 80), st.integers(0, 2**32 - 1))
def test_graph6_is_read_as_networkx_writes_it(size: int, seed: int) -> None:
    graph = nx.gnp_random_graph(size, 0.3, seed=seed)
    found = read_graph6(nx.to_graph6_bytes(graph, header=False).decode().strip())
    assert len(found) == size
    assert found.pairs.tolist() == sorted(map(sorted, graph.edges))


@given(st.text(max_size=20))
def test_junk_is_refused_or_read(text: str) -> None:
    with suppress(RowError):
        assert len(read_graph6(text)) > 0


def test_a_graph6_file_with_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.g6"
    path.write_text(">>graph6<<Bw\n\nB\n:An\n~?\n?\n@\nBé\n", encoding="utf-8")
    found = rows(path)
    bad = ["empty", "unparsable", "unparsable", "unparsable", "no_nodes"]
    assert kinds(found) == [None, *bad, None, "unparsable"]
    with open_rows(path) as reader:
        columns = next(iter(reader)).columns
    assert columns.column("graph6").to_pylist()[:2] == ["Bw", ""]


def test_an_edge_list(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "Graph,source,target,kind\n"
        "first,a,b,1\nsecond,x,y,2\nfirst,b,c,one\nsecond,y,x,2\n"
        "loop,1,1,1\nragged,1,2\nhalf,1,,1\ntwice,1,2,1\ntwice,2,1,2\n"
    )
    found = rows(path)
    assert [row.id for row in found] == ["first", "second", "loop", "ragged", "half", "twice"]
    assert kinds(found) == [None, None, "self_loop", "ragged", "no_such_node", None]
    first, second = found[0].graph, found[1].graph
    assert first is not None
    assert second is not None
    assert (len(first), first.pairs.tolist(), first.edge_labels) == (
        3,
        [[0, 1], [1, 2]],
        {"kind": [1, "one"]},
    )
    assert (len(second), second.pairs.tolist(), second.directed) == (2, [[0, 1], [1, 0]], None)
    assert "line 7" in str(found[3].error)
    twice = found[5].graph
    assert twice is not None
    assert len(as_directed(twice, True).pairs) == 2
    with pytest.raises(RowError, match="between nodes 1 and 0 is listed with kind 1 and 2"):
        as_directed(twice, False)


def test_an_edge_list_with_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "graph,source,target,weight,rank,kind\na,1,2,0.5,1,1.0a\na,2,3,-1e-3,2,e\na,3,1,NaN,-3,1.\n"
    )
    graph = rows(path)[0].graph
    assert graph is not None
    assert graph.edge_labels["rank"] == [1, 2, -3]
    assert [str(value) for value in graph.edge_labels["weight"]] == ["0.5", "-0.001", "nan"]
    assert graph.edge_labels["kind"] == ["1.0a", "e", 1.0]


def test_an_edge_list_must_say_which_graph(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("source\ttarget\n1\t2\n")
    with pytest.raises(DataError, match="no column 'graph'"):
        rows(tmp_path / "x.tsv")


def test_a_table_of_molecules_may_have_a_source_and_a_target(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("smiles,source,target\nCCO,vendor,kinase\n")
    assert [row.smiles for row in rows(tmp_path / "x.csv")] == ["CCO"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A triangle with labels, a lone node, a loop, and an edge between two graphs."""
    files = {
        "A": "1, 2\n2, 1\n2, 3\n3, 2\n1, 3\n3, 1\n5, 5\n6, 4\n",
        "graph_indicator": "1\n1\n1\n2\n3\n4\n",
        "node_labels": "0\n0\n2\n1\n1\n1\n",
        "edge_labels": "1\n1\n1\n1\n3\n3\n1\n1\n",
        "graph_labels": "1\n-1\n1\n1\n",
    }
    (tmp_path / "DS").mkdir()
    for name, text in files.items():
        (tmp_path / "DS" / f"DS_{name}.txt").write_text(text)
    return tmp_path / "DS"


def test_a_tu_folder(folder: Path) -> None:
    with open_rows(folder) as reader:
        (chunk,) = reader
    assert chunk.columns.to_pydict() == {"graph": ["1", "2", "3", "4"], "label": ["1", "-1", "1", "1"]}
    assert kinds(chunk.rows) == [None, None, "self_loop", "no_such_node"]
    triangle, lone = chunk.rows[0].graph, chunk.rows[1].graph
    assert triangle is not None
    assert lone is not None
    assert triangle.node_labels == {"label": [0, 0, 2]}
    read = as_directed(triangle, False)
    assert read.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert read.edge_labels == {"label": [1, 3, 1]}
    assert len(as_directed(triangle, True).pairs) == 6
    assert (len(lone), len(lone.pairs), lone.node_labels) == (1, 0, {"label": [1]})


def test_a_tu_folder_needs_only_edges_and_indicator(folder: Path) -> None:
    for name in ("node_labels", "edge_labels", "graph_labels"):
        (folder / f"DS_{name}.txt").unlink()
    (folder / "raw").mkdir()
    for path in folder.glob("*.txt"):
        path.rename(folder / "raw" / path.name)
    with open_rows(folder) as reader:
        (chunk,) = reader
    assert chunk.columns.column_names == ["graph"]
    assert chunk.rows[0].graph is not None
    assert not chunk.rows[0].graph.node_labels


def test_attributes_of_a_tu_folder(folder: Path) -> None:
    (folder / "DS_node_attributes.txt").write_text("1, 0.5\n" * 5 + "2, nan\n")
    (folder / "DS_edge_attributes.txt").write_text("".join(f"{k}e-1\n" for k in range(8)))
    graph = rows(folder)[0].graph
    assert graph is not None
    assert list(graph.node_labels) == ["label", "attribute0", "attribute1"]
    assert graph.node_labels["attribute1"] == [0.5, 0.5, 0.5]
    assert sorted(graph.edge_labels["attribute"]) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    (folder / "DS_node_attributes.txt").write_text("1, x\n")
    with pytest.raises(DataError, match="expected numbers between commas"):
        rows(folder)


def test_broken_tu_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "DS_node_labels.txt").write_text("1\n2\n")
    with pytest.raises(DataError, match="has 2 lines, expected 6"):
        rows(folder)
    (folder / "DS_node_labels.txt").write_text("1\nx\n")
    with pytest.raises(DataError, match="expected integers"):
        rows(folder)
    (folder / "DS_node_labels.txt").unlink()
    (folder / "DS_A.txt").write_text("1, 9\n")
    with pytest.raises(DataError, match="expected two numbers of nodes"):
        rows(folder)
    (folder / "DS_graph_indicator.txt").unlink()
    with pytest.raises(DataError, match="has no DS_graph_indicator"):
        rows(folder)
    with pytest.raises(DataError, match="no files"):
        rows(tmp_path)
