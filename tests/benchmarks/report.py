"""What every benchmark leaves behind: a table on the screen, and a JSON file with the conditions too."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("molae", "torch", "torch-geometric", "rdkit", "numpy", "scipy")


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks share.

    Args:
        description: Docstring of the script.
    Returns:
        The parser; `--threads` and `--json` are on it.
    """
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    made.add_argument("--json", type=Path, help="file for the figures and their conditions")
    return made


def evaluation_parser(description: str | None) -> argparse.ArgumentParser:
    """The same with the options of benchmarks that evaluate models on a file of molecules.

    Args:
        description: Docstring of the script.
    Returns:
        The parser; `--split`, `--num-workers`, `--device` and `--plot` are on it too.
    """
    made = parser(description)
    made.add_argument("--split", default="all", choices=("all", "qm9-test", "qm9-validation"))
    made.add_argument("--num-workers", type=int, default=0, help="further processes that read molecules")
    made.add_argument("--device", default="auto", help="auto, cpu or cuda")
    made.add_argument("--plot", type=Path, help="image to draw (needs matplotlib)")
    return made


def conditions(arguments: argparse.Namespace) -> dict[str, Any]:
    """Where and with what the figures were measured; paths are cut to their last part."""
    options = {name: _plain(value) for name, value in vars(arguments).items() if name != "json"}
    return {
        "script": Path(sys.argv[0]).name,
        "options": options,
        "machine": {
            "system": platform.system(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
    }


def publish(rows: Sequence[Mapping[str, Any]], arguments: argparse.Namespace, **facts: Any) -> None:
    """Prints the rows as a table and writes them with their conditions.

    Args:
        rows: One mapping for each row of the table; a column is a key that any row has.
        arguments: Parsed options of the script.
        **facts: More to write, such as the sizes of the data sets.
    """
    print(table(rows))
    if arguments.json is None:
        return
    report = conditions(arguments) | facts | {"rows": [dict(row) for row in rows]}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lays rows out as a Markdown table."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    lines = [columns, ["-" * width for width in widths], *cells]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return value.name
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _processor() -> str:
    """Name of the processor's model, where the system tells."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a checkout that is not installed
        return "not installed"
