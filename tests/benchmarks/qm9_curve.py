"""Exactness and geometry against the size of the code, by the strict evaluator of `molae evaluate
reconstruction`.

Takes models (names of shipped ones, or directories such as the `best` of a training run) and the Parquet file
of QM9 structures; evaluates each on the test rows (`gdb_index % 20 == 0`) and prints a row for each, by size
of the code. `rmsd` is over heavy atoms, modulo automorphisms, in Å: `action` as posed by the model's own
action, `aligned` after the best superposition.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from report import evaluation_parser, publish

from molae.apps.evaluate import evaluate_reconstruction
from molae.apps.rows import Source
from molae.catalogue import read_description, resolve


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    rows = sorted((row(model, arguments) for model in arguments.models), key=lambda each: each["code"])
    publish(rows, arguments, split=arguments.split)
    if arguments.plot is not None:
        plot(rows, arguments.plot)


def row(model: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The row of one model."""
    source = Source(arguments.data, num_workers=arguments.num_workers)
    report = evaluate_reconstruction(source, model, arguments.split, device=arguments.device)
    description, figures = read_description(resolve(model)), report["figures"]
    return {
        "code": description["config"]["code_size"],
        "model": Path(model).name,
        "molecules": figures["count"],
        "exact %": 100 * figures["exact_rate"],
        "graph %": 100 * figures["exact_graph_rate"],
        "stereo %": _percent(figures["stereo_correct_rate"]),
        "failed": figures["failed"],
        "rmsd action median": figures["rmsd_action_median"],
        "mean": figures["rmsd_action_mean"],
        "rmsd aligned median": figures["rmsd_aligned_median"],
        "step": description["card"].get("step"),
        "weights": report["weights_sha256"][:12],
    }


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draws share of molecules that are not exact, and median RMSD, against the size of the code."""
    from matplotlib import pyplot

    sizes = [each["code"] for each in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    # On a logarithmic axis a model without any error would vanish: it counts as half a molecule.
    wrong = [max(100 - each["exact %"], 50 / each["molecules"]) for each in rows]
    left.loglog(sizes, wrong, "o-", base=2)
    left.set(xlabel="size of the code", ylabel="not exact, %", yscale="log")
    right.loglog(sizes, [each["rmsd action median"] for each in rows], "o-", base=2)
    right.set(xlabel="size of the code", ylabel="median RMSD, Å", yscale="log")
    figure.savefig(path, dpi=150)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _arguments() -> argparse.Namespace:
    made = evaluation_parser(__doc__)
    made.add_argument("models", nargs="+", help="names of shipped models, or model directories")
    made.add_argument("--data", type=Path, required=True, help="Parquet file of QM9 structures")
    made.set_defaults(split="qm9-test")
    return made.parse_args()


if __name__ == "__main__":
    main()
