from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from smallmodel import CONFIG, KNOWN

import molae
from molae.errors import CheckpointError, ConfigError, DataError, RowError

pandas = pytest.importorskip("pandas")


def test_it_embeds_in_a_pipeline(model_path: Path) -> None:
    molecules = [*KNOWN, "bad"]
    pipeline = make_pipeline(molae.MoleculeEmbedder(model_path), SimpleImputer(), Ridge(1e-4))
    # A failed molecule gets the mean of the vectors, and so the mean of the predictions.
    target = np.array([*range(8), 3.5])
    fitted = pipeline.fit(molecules, target).predict(molecules)
    np.testing.assert_allclose(fitted, target, atol=0.1)


def test_parameters_survive_cloning_and_pickling(model_path: Path) -> None:
    embedder = molae.MoleculeEmbedder(model_path, batch_size=3, on_error="fail", seed=7)
    copies = [clone(embedder), pickle.loads(pickle.dumps(embedder))]
    for copy in copies:
        assert copy.get_params() == embedder.get_params()
        assert copy.get_params()["seed"] == 7


def test_any_single_column_will_do(model_path: Path) -> None:
    embedder = molae.MoleculeEmbedder(model_path)
    expected = molae.embed(KNOWN, model_path)
    series = pandas.Series(KNOWN)
    mols = [Chem.MolFromSmiles(smiles) for smiles in KNOWN]
    for column in (list(KNOWN), np.array(KNOWN), series, series.to_frame(), np.array(KNOWN)[:, None], mols):
        np.testing.assert_allclose(embedder.transform(column), expected, atol=1e-4)
    with pytest.raises(DataError, match="one column"):
        embedder.fit(np.array([["C", "C"]]))
    with pytest.raises(DataError, match="put it in a list"):
        embedder.fit("CCO")


def test_tables_come_out_where_asked_for(model_path: Path) -> None:
    table = pandas.DataFrame({"smiles": KNOWN, "x": 1.0}, index=list("abcdefgh"))
    embedder = molae.MoleculeEmbedder(model_path).set_output(transform="pandas")
    out = embedder.fit_transform(table[["smiles"]])
    assert list(out.columns) == [f"molae_{i}" for i in range(CONFIG.code_size)]
    assert list(out.index) == list("abcdefgh")
    columns = make_column_transformer(
        (molae.MoleculeEmbedder(model_path), ["smiles"]), remainder="passthrough"
    )
    assert columns.fit_transform(table).shape == (8, CONFIG.code_size + 1)
    assert columns.get_feature_names_out()[-1] == "remainder__x"


def test_failures_are_kept_or_raised(model_path: Path) -> None:
    assert np.isnan(molae.MoleculeEmbedder(model_path).fit_transform(["bad", "C"])).any(axis=1).tolist() == [
        True,
        False,
    ]
    with pytest.raises(RowError, match="molecule 0"):
        molae.MoleculeEmbedder(model_path, on_error="fail").fit_transform(["bad", "C"])


def test_wrong_parameters_are_refused_when_fitting(model_path: Path) -> None:
    with pytest.raises(ConfigError, match="keep or fail"):
        molae.MoleculeEmbedder(model_path, on_error="drop").fit(["C"])  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="no model"):
        molae.MoleculeEmbedder("nosuch").fit(["C"])
