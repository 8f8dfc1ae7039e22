"""The report of a fitted model as one page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

from molae.apps.properties.charts import Point, chart

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#1b2330}
h1{font-size:1.6em}h2{margin-top:2em;border-bottom:1px solid #d5dae2}
table{border-collapse:collapse;margin:.6em 0}
td,th{padding:.25em .8em;text-align:right;border-bottom:1px solid #e6e9ee}
td:first-child,th:first-child{text-align:left}tr.own{font-weight:600;background:#eef4ff}
.row{display:flex;flex-wrap:wrap;gap:1.2em}.row figure{flex:1 1 400px;margin:0}figcaption{color:#566}
svg text{font:11px system-ui,sans-serif;fill:#445}.grid{stroke:#e6e9ee}.guide{stroke:#8a94a6;
stroke-dasharray:4 3}
.curve{fill:none;stroke:#2b62c4;stroke-width:1.5}circle{fill:#2b62c4;fill-opacity:.65}
.bar{stroke:#2b62c4;stroke-opacity:.25}
circle:hover{fill:#d4541c;fill-opacity:1}
.warn{background:#fff4e0;border-left:4px solid #e0901c;padding:.5em .9em;margin:.5em 0}
.case{display:inline-block;border:1px solid #e6e9ee;padding:.5em;margin:.3em;
vertical-align:top;font-size:13px}
.case>div{display:inline-block;width:200px;vertical-align:top;overflow-wrap:anywhere}code{overflow-wrap:anywhere}
"""

_MEANING = {
    "rmse": "root mean square error",
    "mae": "mean absolute error",
    "r2": "coefficient of determination: 1 is perfect, 0 is no better than the mean",
    "spearman": "rank correlation",
    "coverage": "share of the intervals that hold the measured value",
    "interval_width": "median width of the intervals",
    "roc_auc": "1 ranks perfectly, 0.5 at random",
    "average_precision": "area under the precision-recall curve",
    "balanced_accuracy": "mean over the classes of the share that is recognised",
    "brier": "mean squared error of the probabilities",
    "log_loss": "surprise at the true classes, in nats",
    "calibration_error": "mean gap between confidence and accuracy",
}


def render_report(report: Mapping[str, Any]) -> str:
    """Writes a report as a page.

    Args:
        report: The report, as `molae.apps.properties.fit.fit_file` returns it.
    Returns:
        A whole HTML document, with styles, charts and drawings inside.
    """
    title = f"molae fit: {', '.join(target['name'] for target in report['targets'])}"
    body = "".join(_target(target, report) for target in report["targets"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{_origin(report)}{body}</body></html>\n"
    )


def _origin(report: Mapping[str, Any]) -> str:
    rows = report["rows"]
    failed = ", ".join(f"{kind} {count}" for kind, count in rows["failed"].items())
    left_out = f"; left out: {failed}" if failed else ""
    codes = ""
    if report["model"]:
        codes = f"; codes of <b>{escape(report['model'])}</b> (weights {report['weights_sha256'][:12]})"
    return (
        f"<p>Data: <b>{escape(report['data'])}</b>, {rows['usable']} of {rows['read']} rows usable"
        f"{escape(left_out)}; used, as having labels: {rows['used']}."
        f" Features: {escape(report['features'])}{codes}.</p>"
        "<p>The figures are of the recipe fitted on the training part and measured on the test part; the"
        " saved model was then fitted on all of them.</p>"
    )


def _target(target: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    split = target["split"]
    column = f" {split['column']!r}" if split["column"] else ""
    counts = f"{len(split['train_rows'])} molecules train, {len(split['test_rows'])} test"
    parts = [
        f"<h2>{escape(target['name'])}</h2>",
        f"<p>{target['task'].capitalize()} by {target['estimator']}; split:"
        f" <b>{split['kind']}{escape(column)}</b> (seed {split['seed']}), {counts}.</p>",
        "".join(f'<p class="warn">{escape(text)}</p>' for text in target["warnings"]),
        _figures(target),
        _charts(target),
        "<h3>Errors by distance to the training molecules</h3>",
        "<p>Thirds of the test part. A distance of 1 is the median one of a training molecule to its nearest"
        " other.</p>",
        _table(target["by_distance"]),
        _trust(target["trust"]),
        "<h3>Errors by scaffold</h3>",
        _scaffolds(target["by_scaffold"]),
        "<h3>Worst cases, each with its nearest training molecule</h3>",
        "".join(_case(case, target) for case in target["worst"]),
    ]
    return "".join(parts)


def _figures(target: Mapping[str, Any]) -> str:
    names = list(target["figures"])
    head = "".join(f'<th title="{escape(_MEANING.get(name, name))}">{name}</th>' for name in names)
    rows = [_figure_row("molae", target["figures"], names, True)]
    rows += [_figure_row(name, found, names, False) for name, found in target["baselines"].items()]
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>"


def _figure_row(name: str, figures: Mapping[str, Any], names: Sequence[str], own: bool) -> str:
    cells = "".join(f"<td>{_number(figures.get(each))}</td>" for each in names)
    return f"<tr{' class=own' if own else ''}><td>{escape(name)}</td>{cells}</tr>"


def _charts(target: Mapping[str, Any]) -> str:
    name = target["name"]
    figures = []
    if target["classes"]:
        points = [
            Point(each["probability"], each["share"], f"{each['count']} molecules")
            for each in target["reliability"]
        ]
        last = target["classes"][-1]
        drawn = chart(points, f"probability of {last}", f"share that is {last}", line=True, diagonal=True)
        figures.append(
            (drawn, "Reliability on the test part: on the dashed line, probabilities mean what they say.")
        )
    else:
        drawn = chart(_parity(target["test"]), f"{name}, measured", f"{name}, predicted", diagonal=True)
        figures.append((drawn, "Test part, with the intervals. Point at a molecule to see which it is."))
    curve = target["learning_curve"]
    error = next((key for key in ("rmse", "log_loss") if curve and key in curve[0]), "rmse")
    points = [
        Point(each["count"], each[error], f"{each['count']} molecules: {each[error]:.3g}") for each in curve
    ]
    drawn = chart(points, "molecules to train on", f"{error} on the test part", line=True, from_zero=True)
    figures.append((drawn, "Learning curve: does it still fall, more data will help."))
    shown = "".join(
        f"<figure>{svg}<figcaption>{escape(text)}</figcaption></figure>" for svg, text in figures if svg
    )
    return f'<div class="row">{shown}</div>'


def _parity(rows: Sequence[Mapping[str, Any]]) -> list[Point]:
    return [
        Point(
            row["measured"],
            row["predicted"],
            f"row {row['row']}: {row['smiles']}\nmeasured {row['measured']:.4g},"
            f" predicted {row['predicted']:.4g}",
            row["lower"],
            row["upper"],
        )
        for row in rows
    ]


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    names = list(rows[0])
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in names)
    lines = ("".join(f"<td>{_number(row[name])}</td>" for name in names) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _trust(correlations: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in correlations.items())
    return (
        f"<p>Rank correlation with the size of the error: {told}. Near 1, it tells which predictions to"
        " trust; near 0, it does not.</p>"
    )


def _scaffolds(rows: Sequence[Mapping[str, Any]]) -> str:
    head = "<tr><th>scaffold</th><th>molecules</th><th>mean error</th><th>mean absolute error</th></tr>"
    lines = (
        f"<tr><td>{draw(row['scaffold'], 140, 90) if row['scaffold'] else 'no rings'}</td>"
        f"<td>{row['count']}</td><td>{_number(row['mean_error'])}</td>"
        f"<td>{_number(row['mean_absolute_error'])}</td></tr>"
        for row in rows
    )
    return f"<table>{head}{''.join(lines)}</table>"


def _case(case: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    row, neighbour = target["test"][case["test"]], case["neighbour"]
    return (
        f'<div class="case"><div>{draw(row["smiles"])}<br>row {row["row"]}: '
        f"measured {_number(row['measured'])}, predicted {_number(row['predicted'])},"
        f" distance {_number(row['distance'])}</div>"
        f"<div>{draw(neighbour['smiles'])}<br>nearest: row {neighbour['row']},"
        f" measured {_number(neighbour['measured'])}</div></div>"
    )


def draw(smiles: str, width: int = 190, height: int = 140) -> str:
    """Draws a molecule.

    Args:
        smiles: SMILES that RDKit wrote.
        width: Width in pixels.
        height: Height in pixels.
    Returns:
        An `svg` element; the SMILES itself where RDKit does not read it back.
    """
    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        return f"<code>{escape(smiles)}</code>"
    drawing = rdMolDraw2D.MolDraw2DSVG(width, height)
    drawing.drawOptions().clearBackground = False  # type: ignore[assignment]  # RDKit's stub is wrong
    rdMolDraw2D.PrepareAndDrawMolecule(drawing, mol)
    drawing.FinishDrawing()
    text = drawing.GetDrawingText()
    return text[text.index("<svg") :]


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else escape(str(value))
