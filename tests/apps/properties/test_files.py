from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv
import pytest
from propertytable import RINGS, SMILES, VALUES, write_table
from safetensors.numpy import load_file

from molae.apps.properties import storage
from molae.apps.properties.evaluate import evaluate_properties
from molae.apps.properties.fit import SplitOptions, fit_file
from molae.apps.properties.model import Recipe
from molae.apps.properties.predict import predict_file
from molae.apps.properties.storage import load_model
from molae.apps.rows import Source
from molae.errors import CheckpointError, DataError, RowError

PLAIN = Recipe("descriptors")
QUICK = Recipe("descriptors", "ridge")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a number with gaps and of a class."""
    folder = tmp_path_factory.mktemp("fitted")
    gaps = ["" if row % 10 == 0 else value for row, value in enumerate(VALUES)]
    columns = {"smiles": [*SMILES, "bad"], "y": [*gaps, 1], "ring": [*RINGS, 0]}
    table = write_table(folder / "train.csv", columns)
    fit_file(Source(table), ["y", "ring"], folder / "model", recipe=PLAIN)
    return folder / "model"


def report_of(model: Path) -> dict[str, object]:
    return json.loads((model / "report.json").read_text())


def test_the_report_tells_what_was_done(fitted: Path) -> None:
    report = report_of(fitted)
    assert report["rows"] == {"read": 61, "usable": 60, "used": 60, "failed": {"unparsable": 1}}
    number, ring = report["targets"]  # type: ignore[misc]
    assert (number["task"], ring["task"]) == ("regression", "classification")
    assert (number["molecules"], ring["molecules"]) == (54, 60)
    assert set(number["baselines"]) == {"mean", "ECFP4 + random forest", "descriptors + boosting"}
    assert number["figures"]["rmse"] < number["baselines"]["mean"]["rmse"]
    assert ring["figures"]["roc_auc"] > 0.9
    rows = number["split"]["train_rows"] + number["split"]["test_rows"]
    assert sorted(rows) == [row + 1 for row in range(60) if row % 10]
    assert [row["row"] for row in number["test"]] == number["split"]["test_rows"]
    assert number["test"][0]["measured"] == pytest.approx(VALUES[number["test"][0]["row"] - 1])
    counts = [point["count"] for point in number["learning_curve"]]
    assert counts == sorted(counts)
    assert counts[-1] == len(number["split"]["train_rows"])
    last = number["learning_curve"][-1]["rmse"]
    assert last == pytest.approx(number["figures"]["rmse"], rel=1e-3)
    assert sum(third["count"] for third in number["by_distance"]) == len(number["test"])
    assert set(number["trust"]) == {"distance", "interval_width"}
    assert set(ring["trust"]) == {"distance"}
    assert "test molecules: the figures are rough" in " ".join(number["warnings"])


def test_the_page_needs_nothing_else(fitted: Path) -> None:
    page = (fitted / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    for link in ("<script", "src=", "<link", "@import", "url("):
        assert link not in page
    assert page.count("<figure>") == 4
    assert "Worst cases" in page
    assert "nan" not in page.lower().replace("nanm", "")


def test_predictions_keep_every_row(fitted: Path, tmp_path: Path) -> None:
    molecules = [SMILES[0], "bad", "", "CCCCCCCCCO", SMILES[-1]]
    table = write_table(tmp_path / "new.csv", {"smiles": molecules, "y_predicted": list("abcde")})
    summary = predict_file(fitted, Source(table), tmp_path / "out.csv")
    assert (summary.ok, summary.failed) == (3, {"unparsable": 1, "empty": 1})
    out = pacsv.read_csv(tmp_path / "out.csv").to_pydict()
    assert list(out) == [
        "smiles",
        "y_predicted",
        "status",
        "error",
        "molae_y_predicted",
        *(f"y_{name}" for name in ("lower", "upper", "distance", "nearest_row")),
        *(
            f"ring_{name}"
            for name in ("predicted", "probability_0", "probability_1", "distance", "nearest_row")
        ),
    ]
    assert out["smiles"] == molecules
    assert out["status"] == ["ok", "failed", "failed", "ok", "ok"]
    assert out["molae_y_predicted"][1] is out["y_lower"][2] is None
    assert out["molae_y_predicted"][4] == pytest.approx(VALUES[-1], abs=0.5)
    assert all(out["y_lower"][row] < out["y_upper"][row] for row in (0, 3, 4))
    assert out["ring_predicted"][0] == 0
    assert out["ring_predicted"][4] == 1
    # The last one was fitted on, as row 60; the first has no label, so that its neighbour is another.
    assert out["y_distance"][4] == pytest.approx(0, abs=1e-3)
    assert out["y_nearest_row"][4] == 60
    assert out["y_nearest_row"][0] != 1
    assert out["y_distance"][3] > out["y_distance"][4]


def test_failed_rows_may_be_dropped_or_be_the_end(fitted: Path, tmp_path: Path) -> None:
    table = write_table(tmp_path / "new.csv", {"smiles": ["CCO", "bad"]})
    predict_file(fitted, Source(table), tmp_path / "out.csv", on_error="drop")
    assert pacsv.read_csv(tmp_path / "out.csv").num_rows == 1
    with pytest.raises(RowError, match="row 2"):
        predict_file(fitted, Source(table), tmp_path / "no.csv", on_error="fail")
    assert not (tmp_path / "no.csv").exists()
    nothing = write_table(tmp_path / "bad.csv", {"smiles": ["bad", "x"]})
    assert predict_file(fitted, Source(nothing), tmp_path / "bad_out.csv").ok == 0


def test_what_is_saved_predicts_the_same(fitted: Path) -> None:
    stored = load_model(fitted)
    assert [each.name for each in stored.targets] == ["y", "ring"]
    assert stored.targets[1].classes == ("0", "1")
    assert stored.origin.fingerprint is None
    arrays = load_file(fitted / "arrays.safetensors")
    assert all(np.isfinite(value).all() for name, value in arrays.items() if "scale" not in name)
    assert not [path for path in fitted.iterdir() if path.suffix in (".pkl", ".joblib")]


def test_damaged_models_are_refused(fitted: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    copy.mkdir()
    with pytest.raises(CheckpointError, match="molae fit"):
        load_model(copy)
    description = json.loads((fitted / "property_model.json").read_text())
    arrays = (fitted / "arrays.safetensors").read_bytes()

    def write(changed: dict[str, object], content: bytes | None = arrays) -> None:
        (copy / "property_model.json").write_text(json.dumps(description | changed))
        (copy / "arrays.safetensors").unlink(missing_ok=True)
        if content is not None:
            (copy / "arrays.safetensors").write_bytes(content)

    write({})
    assert load_model(copy).checksum == load_model(fitted).checksum
    write({}, arrays[:-4] + b"zzzz")
    with pytest.raises(CheckpointError, match="checksum"):
        load_model(copy)
    write({}, None)
    with pytest.raises(CheckpointError, match="copy the whole directory"):
        load_model(copy)
    write({"format_version": 99})
    with pytest.raises(CheckpointError, match="newer molae"):
        load_model(copy)
    write({"targets": [{"name": "y"}]})
    with pytest.raises(CheckpointError, match="corrupt"):
        load_model(copy)
    (copy / "property_model.json").write_text("{")
    with pytest.raises(CheckpointError, match="corrupt"):
        load_model(copy)


def test_a_descriptor_that_is_gone(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "DESCRIPTOR_NAMES", ("MolWt",))
    with pytest.raises(CheckpointError, match="this RDKit has no descriptor"):
        storage.check_origin(load_model(fitted))


def test_codes_must_come_from_the_same_model(model_path: Path, tmp_path: Path) -> None:
    from smallmodel import small_model

    from molae.checkpoint import save_checkpoint

    table = write_table(tmp_path / "t.csv", {"smiles": SMILES[:24], "y": VALUES[:24]})
    fit_file(Source(table), ["y"], tmp_path / "m", model_path, recipe=Recipe("code+ecfp", "ridge"))
    report = report_of(tmp_path / "m")
    assert report["model"] == model_path.name
    predict_file(tmp_path / "m", Source(table), tmp_path / "a.parquet")
    # The description leads to the model wherever the command is run.
    save_checkpoint(small_model(), tmp_path / "moved")
    predict_file(tmp_path / "m", Source(table), tmp_path / "b.parquet", model=str(tmp_path / "moved"))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    save_checkpoint(small_model(), tmp_path / "other", half=True)
    with pytest.raises(CheckpointError, match="another model"):
        predict_file(tmp_path / "m", Source(table), tmp_path / "c.csv", model=str(tmp_path / "other"))
    with pytest.raises(CheckpointError, match="--model"):
        predict_file(tmp_path / "m", Source(table), tmp_path / "c.csv", model=str(tmp_path / "none"))


def test_other_folders_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    table = write_table(tmp_path / "t.csv", {"smiles": SMILES, "y": VALUES})
    with pytest.raises(DataError, match="no fitted model"):
        fit_file(Source(table), ["y"], tmp_path / "mine", recipe=QUICK)
    assert (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.0] * 60, "nothing to learn"),
        ([""] * 60, "no label"),
        ([*range(7), *[""] * 53], "at least 8 are needed"),
        ([f"molecule {n}" for n in range(60)], "60 different labels"),
    ],
)
def test_targets_that_teach_nothing(column: list[object], message: str, tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", {"smiles": SMILES, "y": column})
    with pytest.raises(DataError, match=message):
        fit_file(Source(table), ["y"], tmp_path / "m", recipe=QUICK)
    assert not (tmp_path / "m").exists()


def test_a_missing_column_names_the_nearest(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", {"smiles": SMILES, "logS": VALUES})
    with pytest.raises(DataError, match="did you mean 'logS'"):
        fit_file(Source(table), ["logs"], tmp_path / "m", recipe=QUICK)
    with pytest.raises(DataError, match="no column 'part'"):
        fit_file(Source(table), ["logS"], tmp_path / "m", recipe=QUICK, split=SplitOptions("column", "part"))


def test_only_unusable_molecules(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", {"smiles": ["bad", "x"], "y": [1, 2]})
    with pytest.raises(DataError, match="none of its molecules can be used"):
        fit_file(Source(table), ["y"], tmp_path / "m", recipe=QUICK)


def test_ten_rows_and_duplicates(tmp_path: Path) -> None:
    ten = write_table(tmp_path / "ten.csv", {"smiles": SMILES[:10], "y": VALUES[:10]})
    report = fit_file(Source(ten), ["y"], tmp_path / "ten", recipe=QUICK)
    warnings = " ".join(report["targets"][0]["warnings"])
    assert "too few training molecules to calibrate intervals" in warnings
    assert "only 2 test molecules" in warnings
    json.dumps(report, allow_nan=False)
    predict_file(tmp_path / "ten", Source(ten), tmp_path / "out.csv")
    twice = write_table(tmp_path / "twice.csv", {"smiles": SMILES * 2, "y": [*VALUES, *VALUES + 0.1]})
    split = SplitOptions("random")
    target = fit_file(Source(twice), ["y"], tmp_path / "twice", recipe=QUICK, split=split)["targets"][0]
    assert (target["molecules"], target["distinct_molecules"]) == (120, 60)
    train, test = ({row % 60 for row in target["split"][f"{part}_rows"]} for part in ("train", "test"))
    assert not train & test
    one = write_table(tmp_path / "one.csv", {"smiles": ["CCO"] * 20, "y": range(20)})
    with pytest.raises(DataError, match="or are the same molecule"):
        fit_file(Source(one), ["y"], tmp_path / "one", recipe=QUICK)


def test_splits_of_the_users_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    parts = ["test" if row % 3 == 0 else "train" for row in range(60)]
    years = [2000 + row for row in range(60)]
    odd = [">9" if row == 7 else value for row, value in enumerate(VALUES)]
    columns = {"smiles": SMILES, "y": odd, "part": parts, "year": years}
    table = Source(write_table(tmp_path / "t.csv", columns))
    with caplog.at_level(logging.WARNING, "molae.apps"):
        report = fit_file(table, ["y"], tmp_path / "a", recipe=QUICK, split=SplitOptions("column", "part"))
    assert report["targets"][0]["split"]["test_rows"] == [row + 1 for row in range(60) if row % 3 == 0]
    assert "1 labels are no numbers and count as missing, first '>9' in row 8" in caplog.text
    report = fit_file(table, ["y"], tmp_path / "a", recipe=QUICK, split=SplitOptions("time", "year", 0.1))
    assert report["targets"][0]["split"]["test_rows"] == [55, 56, 57, 58, 59, 60]


def test_warnings_of_labels_and_parts(tmp_path: Path) -> None:
    parts = ["train"] * 40 + ["test"] * 20
    smiles = [*SMILES[:40], *SMILES[:20]]
    columns = {"smiles": smiles, "y": VALUES, "torn": [0] * 40 + [1] * 20, "part": parts}
    columns["rare"] = [0, 1] * 20 + [1, 1] + [0] * 18
    table = write_table(tmp_path / "t.csv", columns)
    split = SplitOptions("column", "part")
    number, rare = fit_file(Source(table), ["y", "rare"], tmp_path / "m", recipe=QUICK, split=split)[
        "targets"
    ]
    shared = "20 of the test molecules are among the training molecules too"
    assert shared in number["warnings"]
    assert shared in rare["warnings"]
    assert any("the test part has 2 of class '1'" in text for text in rare["warnings"])
    assert not any("baseline" in text for text in rare["warnings"])
    assert any("molecules have labels of several classes, first C" in text for text in rare["warnings"])


def test_all_targets_are_read_before_one_is_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_table(tmp_path / "t.csv", {"smiles": SMILES, "y": VALUES, "bad": [1] * 60})
    monkeypatch.setattr("molae.apps.properties.fit.assess", None)
    with pytest.raises(DataError, match="'bad' is 1 in every row"):
        fit_file(Source(table), ["y", "bad"], tmp_path / "m", recipe=QUICK)


def test_several_classes(tmp_path: Path) -> None:
    kinds = [
        ("ring" if ring else "chain") if value < 2 else "big"
        for ring, value in zip(RINGS, VALUES, strict=True)
    ]
    table = write_table(tmp_path / "t.csv", {"smiles": SMILES, "kind": kinds})
    report = fit_file(Source(table), ["kind"], tmp_path / "m", recipe=QUICK, split=SplitOptions("random"))
    assert report["targets"][0]["classes"] == ["big", "chain", "ring"]
    predict_file(tmp_path / "m", Source(table), tmp_path / "out.csv")
    out = pacsv.read_csv(tmp_path / "out.csv").to_pydict()
    assert np.mean([a == b for a, b in zip(out["kind"], out["kind_predicted"], strict=True)]) > 0.8
    names = [f"kind_probability_{name}" for name in ("big", "chain", "ring")]
    np.testing.assert_allclose(np.sum([out[name] for name in names], axis=0), 1, atol=1e-9)


def test_the_protocol_measures_all_on_the_same_splits(model_path: Path, tmp_path: Path) -> None:
    columns = {"smiles": SMILES[6:36], "y": VALUES[6:36], "ring": RINGS[6:36]}
    table = Source(write_table(tmp_path / "t.csv", columns))
    split = SplitOptions("random", seed=5)
    report = evaluate_properties(table, ["y", "ring"], model_path, split=split, seeds=2)
    json.dumps(report, allow_nan=False)
    number, ring = report["targets"]
    assert (number["seeds"], len(number["splits"])) == ([5, 6], 2)
    assert set(number["methods"]) == {
        "mean",
        "ECFP4 + random forest",
        "descriptors + boosting",
        "code, ridge",
        "code, gp",
        "descriptors+fingerprints, gp",
        "code+descriptors+fingerprints, gp",
    }
    assert {"code, logistic", "code, gp"} <= set(ring["methods"])
    found = number["methods"]["descriptors+fingerprints, gp"]
    values = [each["rmse"] for each in found["figures"]]
    assert found["mean"]["rmse"] == pytest.approx(np.mean(values))
    assert found["deviation"]["rmse"] == pytest.approx(np.std(values, ddof=1))
    again = evaluate_properties(table, ["y"], model_path, split=split, seeds=1)
    assert again["targets"][0]["splits"] == number["splits"][:1]
    assert again["targets"][0]["methods"]["mean"]["deviation"]["rmse"] is None
