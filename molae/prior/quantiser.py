"""Vectors as a few tokens each, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from torch import Tensor

# Vectors that the centres are found from.
_MOST = 120_000
_ITERATIONS = 20
_AT_ONCE = 16_384


class ResidualQuantiser:
    """Residual quantisation: the nearest of some centres, then the nearest of others to what that leaves, and
    so on (Juang, Gray 1982, doi:10.1109/ICASSP.1982.1171604). The centres are those of k-means.

    Args:
        size: Most centres of a level.
        levels: Number of levels.
    """

    def __init__(self, size: int, levels: int) -> None:
        self.size, self.levels = size, levels

    @property
    def centres(self) -> list[Tensor]:
        """The centres of each level, shape (k, c); fewer where there are not as many different vectors."""
        return list(self._books)

    def fit(self, vectors: Float[Tensor, "n c"], seed: int = 0) -> None:
        """Finds the centres.

        Args:
            vectors: Vectors like those to come.
            seed: Seed of the vectors that are looked at, and of the first centres.
        """
        chosen = np.random.default_rng(seed).permutation(len(vectors))[:_MOST]
        left = vectors[np.sort(chosen)].double().numpy()
        self._books: list[Tensor] = []
        for _ in range(self.levels):
            count = min(self.size, len(np.unique(left, axis=0)))
            found = KMeans(count, n_init=1, max_iter=_ITERATIONS, random_state=seed).fit(left)
            self._books.append(torch.from_numpy(found.cluster_centers_).float())
            left = left - found.cluster_centers_[found.labels_]
        self.remainder = torch.tensor(float(np.sqrt(np.square(left).mean())))

    def tokens(self, vectors: Float[Tensor, "n c"]) -> Int[Tensor, "n l"]:
        """The tokens of vectors."""
        found = torch.empty(len(vectors), len(self._books), dtype=torch.int64)
        for start in range(0, len(vectors), _AT_ONCE):
            left = vectors[start : start + _AT_ONCE].float()
            for level, book in enumerate(self._books):
                nearest = torch.cdist(left, book).argmin(dim=1)
                found[start : start + len(left), level] = nearest
                left = left - book[nearest]
        return found

    def vectors(self, tokens: Int[Tensor, "*n l"]) -> Float[Tensor, "*n c"]:
        """The vectors of tokens: sums of centres."""
        return torch.stack([book[tokens[..., level]] for level, book in enumerate(self._books)]).sum(0)

    def state(self) -> dict[str, Tensor]:
        """What was learned, for `restore`."""
        return {str(level): book for level, book in enumerate(self._books)} | {"remainder": self.remainder}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes what another one had learned."""
        self._books = [state[str(level)] for level in range(self.levels)]
        self.remainder = state["remainder"]
