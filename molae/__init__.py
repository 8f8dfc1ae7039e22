"""Molecules to vectors that do not change when they are rotated, moved or renumbered; and back.

    import molae

    vectors = molae.embed(["CCO", "c1ccccc1"])
    mols = molae.decode_molecules(vectors)

What these names stand for is imported when they are first used, so that `import molae` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from molae.apps.conformers.api import conformers
    from molae.apps.conformers.clusters import cluster_conformers
    from molae.apps.conformers.codes import decode_conformers, embed_conformers, interpolate_conformers
    from molae.apps.conformers.optimise import optimise
    from molae.apps.decode import decode_molecules
    from molae.apps.embed import embed
    from molae.apps.embedder import MoleculeEmbedder
    from molae.apps.generate import generate_graphs, generate_molecules
    from molae.apps.graphs import decode_graphs, pack_graphs
    from molae.apps.loading import load
    from molae.apps.priors import fit_prior
    from molae.apps.properties.estimators import PropertyClassifier, PropertyRegressor
    from molae.apps.reconstruct import interpolate, reconstruct

    __version__: str

__all__ = [
    "MoleculeEmbedder",
    "PropertyClassifier",
    "PropertyRegressor",
    "__version__",
    "cluster_conformers",
    "conformers",
    "decode_conformers",
    "decode_graphs",
    "decode_molecules",
    "embed",
    "embed_conformers",
    "fit_prior",
    "generate_graphs",
    "generate_molecules",
    "interpolate",
    "interpolate_conformers",
    "load",
    "optimise",
    "pack_graphs",
    "reconstruct",
]

_HOMES = {
    "MoleculeEmbedder": "molae.apps.embedder",
    "PropertyClassifier": "molae.apps.properties.estimators",
    "PropertyRegressor": "molae.apps.properties.estimators",
    "cluster_conformers": "molae.apps.conformers.clusters",
    "conformers": "molae.apps.conformers.api",
    "decode_conformers": "molae.apps.conformers.codes",
    "decode_graphs": "molae.apps.graphs",
    "decode_molecules": "molae.apps.decode",
    "embed": "molae.apps.embed",
    "embed_conformers": "molae.apps.conformers.codes",
    "fit_prior": "molae.apps.priors",
    "generate_graphs": "molae.apps.generate",
    "generate_molecules": "molae.apps.generate",
    "interpolate": "molae.apps.reconstruct",
    "interpolate_conformers": "molae.apps.conformers.codes",
    "load": "molae.apps.loading",
    "optimise": "molae.apps.conformers.optimise",
    "pack_graphs": "molae.apps.graphs",
    "reconstruct": "molae.apps.reconstruct",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("molae")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'molae' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
