"""The vectors as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from sklearn.base import BaseEstimator, TransformerMixin

from molae.apps.embed import BATCH_SIZE, embed
from molae.apps.loading import Model
from molae.autoencoder import Autoencoder
from molae.catalogue import read_description, resolve
from molae.errors import ConfigError, DataError


class MoleculeEmbedder(TransformerMixin, BaseEstimator):
    """Molecules to vectors in a scikit-learn pipeline; there is nothing to fit.

    Args:
        model: Name of a shipped model, path of a model directory, or a loaded model.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        num_workers: Further processes that read molecules and make conformers.
        seed: Seed of the conformers.
        on_error: Whether to `keep` the rows of molecules that cannot be embedded, as NaN, or to `fail`. Rows
            cannot be dropped in a pipeline: impute them, or filter the input.

    Example:
        make_pipeline(MoleculeEmbedder(), SimpleImputer(), Ridge()).fit(smiles, solubility)
    """

    def __init__(
        self,
        model: Model = "molecule",
        *,
        batch_size: int = BATCH_SIZE,
        device: str = "auto",
        num_workers: int = 0,
        seed: int = 0,
        on_error: Literal["keep", "fail"] = "keep",
    ) -> None:
        self.model = model
        self.batch_size = batch_size
        self.device = device
        self.num_workers = num_workers
        self.seed = seed
        self.on_error = on_error

    def fit(self, X: Any, y: Any = None) -> MoleculeEmbedder:
        """Checks the parameters and the form of the input.

        Args:
            X: Molecules, as for `transform`.
            y: Ignored.
        Returns:
            The transformer itself.
        Raises:
            ConfigError: If a parameter does not fit.
            CheckpointError: If there is no such model.
            DataError: If the input is not one column of molecules.
        """
        if self.on_error not in ("keep", "fail"):
            raise ConfigError(f"on_error: expected keep or fail, got {self.on_error!r}")
        _code_size(self.model)
        one_column(X)
        return self

    def transform(self, X: Any) -> Float[np.ndarray, "n d"]:
        """Embeds molecules.

        Args:
            X: SMILES or RDKit molecules: a list, an array, or a table of one column.
        Returns:
            A float32 vector for each; NaN for molecules that cannot be embedded.
        Raises:
            RowError: With `on_error="fail"`, why the first such molecule cannot be embedded.
            DataError: If the input is not one column of molecules.
        """
        return embed(
            one_column(X),
            self.model,
            batch_size=self.batch_size,
            device=self.device,
            num_workers=self.num_workers,
            seed=self.seed,
            on_error=self.on_error,
        )

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the channels of the vectors: `molae_0`, `molae_1` and so on.

        Args:
            input_features: Ignored.
        Returns:
            The names, as text.
        """
        return np.array([f"molae_{index}" for index in range(_code_size(self.model))], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def one_column(X: Any) -> list[Any]:
    """The molecules of a list, an array, a series, or a table of one column.

    Raises:
        DataError: If there are more columns, or it is a single molecule.
    """
    if hasattr(X, "iloc") or isinstance(X, np.ndarray):
        values = np.asarray(X, dtype=object)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 1:
            raise DataError(f"expected one column of molecules, got an array of shape {values.shape}")
        return values.tolist()
    if isinstance(X, (str, bytes, Chem.Mol)) or not isinstance(X, Iterable):
        raise DataError(f"expected a list of molecules, got one {type(X).__name__}: put it in a list")
    return list(X)


def _code_size(model: Model) -> int:
    if isinstance(model, Autoencoder):
        return model.config.code_size
    return int(read_description(resolve(Path(model)))["config"]["code_size"])
