"""What all priors have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from molae.batch.schema import Schema
from molae.errors import ConfigError
from molae.registry import Registry

#: Told how many further steps of a fit are done, and how many there are in all.
Progress = Callable[[int, int | None], object]


class OrderedGraph(NamedTuple):
    """A graph whose nodes are in canonical order.

    Attributes:
        nodes: Category of each node in each channel.
        edges: Category of each pair of nodes as seen from the first, 0 where there is no edge.
    """

    nodes: Int[np.ndarray, "n k"]
    edges: Int[np.ndarray, "n n"]


@dataclass(frozen=True)
class CodeSpace:
    """What a prior may know of the codes of a model.

    Attributes:
        schema: What the graphs carry.
        read: Decodes codes to graphs, one after the other; continuous attributes and positions are left out.
        write: Encodes graphs as they are ordered.
        device: Where a prior does what takes long.
    """

    schema: Schema
    read: Callable[[Float[np.ndarray, "g d"]], Iterable[OrderedGraph]]
    write: Callable[[Sequence[OrderedGraph]], Float[np.ndarray, "g d"]]
    device: torch.device


class Prior(ABC):
    """A distribution of the codes of a model; subclasses take their configuration and its `CodeSpace`."""

    @abstractmethod
    def fit(self, codes: Float[np.ndarray, "g d"], seed: int = 0, progress: Progress | None = None) -> None:
        """Learns the distribution of codes.

        Args:
            codes: Codes of the graphs that new ones are to be like, all finite.
            seed: Seed of the fit.
            progress: Told of the steps of a fit that takes long.
        Raises:
            ConfigError: If the codes do not suffice.
        """

    def adapt(
        self,
        codes: Float[np.ndarray, "g d"],
        seed: int = 0,
        progress: Progress | None = None,
        steps: int | None = None,
    ) -> None:
        """Goes on from what a fit has learned with other codes.

        A prior that cannot go on is fitted anew.

        Args:
            codes: Codes of the graphs that new ones are to be like, all finite.
            seed: Seed of the fit.
            progress: Told of the steps of a fit that takes long.
            steps: How long, as long as a fit is meant to take; None for a few slow steps, for few codes.
        Raises:
            ConfigError: If the codes do not suffice.
        """
        self.fit(codes, seed, progress)

    @abstractmethod
    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "n d"]:
        """Draws codes; a fit must have gone before.

        Args:
            n: Number of codes.
            seed: Seed of the draws.
        Returns:
            The codes, float32.
        """

    @abstractmethod
    def log_prob(self, codes: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Logarithm of the density of each code, in nats; a fit must have gone before."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """What a fit has learned, for `restore`."""

    @abstractmethod
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes what a prior of the same configuration and codes had learned.

        Raises:
            RuntimeError, LookupError: If it does not fit.
        """


def check_codes(codes: Float[np.ndarray, "g d"], least: int) -> Float[np.ndarray, "g d"]:
    """Checks codes to fit to.

    Returns:
        The codes, as they came.
    Raises:
        ConfigError: If there are fewer than `least`, or some are not finite.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or len(codes) < least or not np.isfinite(codes).all():
        raise ConfigError(
            f"codes: expected at least {least} in rows, all finite, got the shape {codes.shape};"
            " leave out the graphs that could not be embedded"
        )
    return codes


PRIORS: Registry[Prior] = Registry("prior")
