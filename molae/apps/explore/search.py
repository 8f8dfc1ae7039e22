"""Nearest codes, exactly or by an index."""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from molae.errors import ConfigError, DataError

logger = logging.getLogger("molae.apps")

Metric = Literal["cosine", "euclidean"]
Search = Literal["auto", "exact", "index"]

EXACT_ROWS = 100_000
"""Up to so many rows, `auto` compares a query with all of them."""

EXACT_QUERIES = 1_000
"""Up to so many queries too, whatever the rows: to build an index takes longer (see `nearest`)."""


def nearest(
    queries: Float[np.ndarray, "q d"],
    codes: Float[np.ndarray, "n d"],
    k: int,
    metric: Metric = "cosine",
    search: Search = "auto",
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """Finds the nearest codes.

    An exact search takes q n d steps. An index of lists around √n centres (faiss) takes n √n d steps to build
    and then looks into an eighth of the lists, so that it pays for many queries among many rows; most but not
    all neighbours that it finds are the nearest ones.

    Args:
        queries: Codes to find neighbours of, finite.
        codes: Codes to look among, finite.
        k: Neighbours to find; all codes where there are fewer.
        metric: `cosine`: 1 - cos of the angle between two codes; or `euclidean`.
        search: `exact`, `index`, or `auto`: an index above `EXACT_ROWS` rows and `EXACT_QUERIES` queries.
    Returns:
        The distances, rising, and the places of the codes, from 0.
    Raises:
        ConfigError: If `k`, the metric or the search is none of these, or an index needs faiss, which is not
            installed.
        DataError: If queries and codes differ in length.
    """
    if k < 1:
        raise ConfigError(f"k: expected at least 1, got {k}")
    if metric not in ("cosine", "euclidean"):
        raise ConfigError(f"metric: expected cosine or euclidean, got {metric!r}")
    if search not in ("auto", "exact", "index"):
        raise ConfigError(f"search: expected auto, exact or index, got {search!r}")
    if queries.shape[1] != codes.shape[1]:
        raise DataError(
            f"the queries have {queries.shape[1]} numbers each, the codes {codes.shape[1]}: both must come"
            " from one model"
        )
    if search == "auto":
        many = len(codes) > EXACT_ROWS and len(queries) > EXACT_QUERIES
        search = "index" if many else "exact"
    logger.info("%s search of %d queries among %d codes", search, len(queries), len(codes))
    k = min(k, len(codes))
    if not len(queries):
        return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
    if metric == "cosine":
        queries, codes = _unit(queries), _unit(codes)
    distances, places = (_by_index if search == "index" else _exactly)(queries, codes, k)
    if metric == "cosine":
        # |a - b|² = 2 (1 - cos) for vectors of unit length.
        distances = distances**2 / 2
    return distances.astype(np.float32), places.astype(np.int64)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)


def _exactly(queries: np.ndarray, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(codes).kneighbors(queries)


def _by_index(queries: np.ndarray, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    faiss = _faiss()
    size = codes.shape[1]
    lists = max(1, round(len(codes) ** 0.5))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(size), size, lists)
    index.cp.max_points_per_centroid = 64
    index.cp.min_points_per_centroid = 1
    index.nprobe = -(-lists // 8)
    codes = np.ascontiguousarray(codes, dtype=np.float32)
    index.train(codes)
    index.add(codes)
    squares, places = index.search(np.ascontiguousarray(queries, dtype=np.float32), k)
    if (places < 0).any():
        # Too few codes in the lists that were looked into.
        index.nprobe = lists
        squares, places = index.search(np.ascontiguousarray(queries, dtype=np.float32), k)
    return np.sqrt(np.maximum(squares, 0)), places


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ConfigError(
            'an index needs faiss: pip install "molae[search]"; or compare with every row, --search exact'
        ) from error
    return faiss
