"""Share of exact molecules against the number of heavy atoms, for one model and a file of molecules.

The comparison is that of `molae evaluate reconstruction`; rows that the model cannot take, or that decode to
no molecule, count as not exact. Rows that cannot be read have no size and are counted apart.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import torch
from report import evaluation_parser, publish

from molae.apps.evaluate import evaluate_reconstruction
from molae.apps.rows import Source


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    source = Source(
        arguments.input,
        smiles_column=arguments.smiles_column,
        num_workers=arguments.num_workers,
        seed=arguments.seed,
    )
    report = evaluate_reconstruction(source, arguments.model, arguments.split, device=arguments.device)
    rows = [row(int(size), figures) for size, figures in report["by_heavy_atoms"].items()]
    rows.append(row(None, report["figures"]))
    facts = {name: report[name] for name in ("model", "weights_sha256", "split", "unread", "undecoded")}
    facts["model"] = Path(facts["model"]).name
    publish(rows, arguments, **facts)
    print(f"not read: {report['unread'] or 'none'}; not decoded: {report['undecoded'] or 'none'}")
    if arguments.plot is not None:
        plot(rows[:-1], arguments.plot)


def row(size: int | None, figures: dict[str, Any]) -> dict[str, Any]:
    """The row of one size, or of all sizes together."""
    low, high = wilson(figures["exact_rate"], figures["count"])
    return {
        "heavy atoms": "all" if size is None else size,
        "molecules": figures["count"],
        "exact %": 100 * figures["exact_rate"],
        "from": 100 * low,
        "to": 100 * high,
        "graph %": 100 * figures["exact_graph_rate"],
        "rmsd median": figures["rmsd_action_median"],
    }


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share that was found in `count` tries (Wilson 1927, doi:10.2307/2276774)."""
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draws the share of exact molecules with its interval, and the median RMSD, against the size."""
    from matplotlib import pyplot

    sizes = [each["heavy atoms"] for each in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    left.fill_between(sizes, [each["from"] for each in rows], [each["to"] for each in rows], alpha=0.25)
    left.plot(sizes, [each["exact %"] for each in rows], "o-", markersize=3)
    left.set(xlabel="heavy atoms", ylabel="exact, %")
    right.plot(sizes, [each["rmsd median"] or math.nan for each in rows], "o-", markersize=3)
    right.set(xlabel="heavy atoms", ylabel="median RMSD, Å")
    figure.savefig(path, dpi=150)


def _arguments() -> argparse.Namespace:
    made = evaluation_parser(__doc__)
    made.add_argument("model", help="name of a shipped model, or a model directory")
    made.add_argument("input", type=Path, help="file of molecules, in any format that molae reads")
    made.add_argument("--smiles-column")
    made.add_argument("--seed", type=int, default=0, help="seed of the conformers")
    return made.parse_args()


if __name__ == "__main__":
    main()
