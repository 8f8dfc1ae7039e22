"""Aligners: which node of the input belongs to which slot of the decoder.

To add one: write a module here with a configuration and a class registered in `ALIGNERS`, and import it
below.
"""

from molae.align.base import ALIGNERS, Aligner
from molae.align.canonical import CanonicalAligner
from molae.align.hungarian import HungarianAligner
from molae.align.sinkhorn import SinkhornAligner
from molae.align.softsort import SoftSortAligner

__all__ = [
    "ALIGNERS",
    "Aligner",
    "CanonicalAligner",
    "HungarianAligner",
    "SinkhornAligner",
    "SoftSortAligner",
]
