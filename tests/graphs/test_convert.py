from __future__ import annotations

import numpy as np
import pytest

from molae.errors import DataError, RowError
from molae.graphs.convert import from_pyg, to_pyg
from molae.graphs.labelled import LabelledGraph


def test_features_of_pyg_come_back_under_their_names():
    import torch
    from torch_geometric.data import Data

    data = Data(
        edge_index=torch.tensor([[0, 1], [1, 2]]),
        x=torch.tensor([[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]]),
        edge_attr=torch.tensor([[0.25], [0.75]]),
    )
    labels = {"x0": np.array([0.5, 1.5, 2.5]), "x1": np.array([1.0, 2.0, 3.0])}
    graph = LabelledGraph(3, np.array([[0, 1], [1, 2]]), labels, {"edge_attr": np.array([0.25, 0.75])}, True)
    back = to_pyg(graph)
    torch.testing.assert_close(back.x.float(), data.x)
    torch.testing.assert_close(back.edge_attr.float(), data.edge_attr)
    assert from_pyg(back).directed


def test_attributes_do_not_take_the_place_of_the_structure_of_pyg():
    pairs = np.array([[0, 1]])
    for labels, of_edges in (({"edge_index": [1, 2]}, {}), ({"edge_flow": [1, 2]}, {"flow": [3]})):
        with pytest.raises(DataError, match="has no place in PyG's Data: ask for networkx graphs"):
            to_pyg(LabelledGraph(2, pairs, labels, of_edges))


def test_integer_labels_of_no_edges_stay_integers():
    import torch

    empty = to_pyg(LabelledGraph(1, np.zeros((0, 2), dtype=int), {}, {"kind": []}))
    assert empty.edge_kind.dtype == torch.int64
    assert empty.edge_index.shape == (2, 0)


def test_too_few_values_of_edges_fail_their_graph():
    import torch
    from torch_geometric.data import Data

    data = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), edge_attr=torch.tensor([[1]]), num_nodes=2)
    with pytest.raises(RowError, match="1 values of 'edge_attr' for 2 edges"):
        from_pyg(data)
