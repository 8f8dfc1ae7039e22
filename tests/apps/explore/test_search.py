from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from molae.apps.explore import search
from molae.apps.explore.search import Metric, nearest
from molae.errors import ConfigError, DataError

RANDOM = np.random.default_rng(0)
CODES = RANDOM.normal(size=(2000, 8)).astype(np.float32)
QUERIES = np.concatenate([CODES[:3], RANDOM.normal(size=(4, 8)).astype(np.float32)])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_exact_search_is_exact(metric: Metric) -> None:
    distances, places = nearest(QUERIES, CODES, 5, metric)
    expected = cdist(QUERIES.astype(float), CODES.astype(float), metric)
    np.testing.assert_array_equal(places, np.argsort(expected, axis=1)[:, :5])
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :5], atol=1e-5)
    assert (distances.dtype, places.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_an_index_finds_nearly_the_same(metric: Metric) -> None:
    pytest.importorskip("faiss")
    distances, places = nearest(CODES[:500], CODES, 5, metric, "index")
    _, expected = nearest(CODES[:500], CODES, 5, metric, "exact")
    np.testing.assert_array_equal(places[:, 0], np.arange(500))
    shared = [len(set(a) & set(b)) for a, b in zip(places.tolist(), expected.tolist(), strict=True)]
    assert np.mean(shared) > 3.5
    again = nearest(CODES[:500], CODES, 5, metric, "index")
    np.testing.assert_array_equal(again[0], distances)
    np.testing.assert_array_equal(again[1], places)


def test_an_index_finds_as_many_as_are_wanted() -> None:
    pytest.importorskip("faiss")
    distances, places = nearest(QUERIES, CODES[:40], 40, "euclidean", "index")
    assert np.sort(places, axis=1).tolist() == [list(range(40))] * len(QUERIES)
    assert np.isfinite(distances).all()


def test_many_queries_of_many_codes_take_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "EXACT_ROWS", 1000)
    monkeypatch.setattr(search, "EXACT_QUERIES", 5)
    monkeypatch.setitem(sys.modules, "faiss", None)
    nearest(QUERIES[:5], CODES, 1)
    nearest(QUERIES, CODES[:1000], 1)
    with pytest.raises(ConfigError, match=r"molae\[search\].*--search exact"):
        nearest(QUERIES, CODES, 1)


def test_fewer_codes_than_wanted() -> None:
    distances, places = nearest(QUERIES, CODES[:2], 5)
    assert distances.shape == places.shape == (7, 2)
    assert nearest(QUERIES[:0], CODES, 5)[1].shape == (0, 5)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="k: expected"):
        nearest(QUERIES, CODES, 0)
    with pytest.raises(ConfigError, match="metric"):
        nearest(QUERIES, CODES, 1, "manhattan")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="search"):
        nearest(QUERIES, CODES, 1, search="fast")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="one model"):
        nearest(QUERIES[:, :4], CODES, 1)
