"""Search for the conformers of a molecule in which a property is largest or smallest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from rdkit import Chem

from molae.apps.conformers.generator import DEFAULT, open_generator
from molae.apps.conformers.isomers import sample_isomers
from molae.apps.conformers.properties import Known, Property, find_property
from molae.apps.conformers.sampled import Request
from molae.apps.molecules import as_source
from molae.chem.clashes import have_clashes
from molae.chem.isomers import keep_configurations, with_positions
from molae.chem.torsions import find_torsions, measure_torsions, turn_torsions
from molae.errors import ConfigError, RowError

# Share of the budget that goes to draws of the generator, conformers that have children, and the children of
# a generation.
_DRAWN, _PARENTS, _CHILDREN = 0.25, 10, 20
# By how much bonds turn, in radians: at first, and at last.
_WIDE, _NARROW = 0.6, 0.05
# Share of the bonds that turn in a child, of which there is at least one; and of those, the share that turn
# to the angle that a draw has.
_TURNED, _TAKEN = 0.3, 0.5


@dataclass(frozen=True)
class Best:
    """The best of some conformers.

    Attributes:
        mol: The molecule with all hydrogens and up to ten conformers in Å, the best first.
        values: What the property is in each.
        evaluations: How many conformers it was found for.
    """

    mol: Chem.Mol
    values: Float[np.ndarray, " c"]
    evaluations: int


@dataclass(frozen=True)
class Optimised:
    """What a search found, beside what the generator finds alone.

    Attributes:
        found: The best conformers of the search.
        random: The best of as many draws of the generator. The search began with the first of the same draws.
    """

    found: Best
    random: Best


@dataclass
class _Pool:
    """Conformers with their values, those that count as larger first."""

    positions: Float[np.ndarray, "c n 3"]
    scores: Float[np.ndarray, " c"]
    evaluations: int = 0

    def add(self, positions: Float[np.ndarray, "x n 3"], scores: Float[np.ndarray, " x"]) -> None:
        joined = np.concatenate([self.positions, positions])
        every = np.concatenate([self.scores, scores])
        order = np.argsort(-every, kind="stable")[:_PARENTS]
        self.positions, self.scores = joined[order], every[order]
        self.evaluations += len(scores)


def optimise(
    molecule: str | Chem.Mol,
    property: Known,
    n: int = 200,
    seed: int = 0,
    *,
    maximise: bool = True,
    model: str = DEFAULT,
) -> Optimised:
    """Searches for the conformers in which a property is largest, or smallest.

    A quarter of the budget are draws of the generator. From then on, children of the ten best conformers so
    far are made by turning some of their bonds, to angles that a draw has or by less and less at random: a
    (10 + 20) evolution strategy in the torsion angles. Rings, bond lengths and bond angles stay those of the
    draws. Conformers in which atoms clash (`molae.chem.clashes`), of the wrong isomer, or for which the
    property is no finite number are left out, of the draws too. Nothing keeps the energy low but that; relax
    what is found if that matters.

    Args:
        molecule: SMILES or RDKit molecule; positions that it has serve to tell its stereo alone.
        property: Function of an RDKit molecule with all hydrogens, atoms of the input first, and one
            conformer; or `"radius_of_gyration"` (in Å), `("distance", i, j)` between two atoms (in Å), or
            `("shape", reference)`, the shape Tanimoto coefficient after Open3DAlign.
        n: Number of conformers for which the property is found, by the search and by the draws each.
        seed: Seed; it also picks an isomer where the stereo is open.
        maximise: Whether large values are wanted, and not small ones.
        model: What draws the conformers to begin with, as in `molae.conformers`.
    Returns:
        The best conformers of the search, and those of `n` draws.
    Raises:
        RowError: If the molecule cannot be read or has no conformer without clashes.
        ConfigError: If an option does not fit.

    >>> import molae
    >>> wanted = ("distance", 0, 6)
    >>> best = molae.optimise("OCCCCCO", wanted, n=40, maximise=False, model="etkdg")
    >>> best.found.mol.GetNumConformers(), best.found.evaluations, bool((best.found.values > 1).all())
    (10, 40, True)
    """
    if n < 1:
        raise ConfigError(f"n: expected at least 1 conformer, got {n}")
    isomer = sample_isomers(as_source(molecule), open_generator(model), Request(n, seed))[0]
    mol, draws = isomer.mol, isomer.sampled.positions
    score = _score(find_property(property, mol), maximise)
    first = max(1, round(_DRAWN * n))
    random = _empty(mol)
    _evaluate(random, mol, draws[:first], score)
    found = _Pool(random.positions, random.scores, random.evaluations)
    _evaluate(random, mol, draws[first:], score)
    if not len(random.scores):
        raise RowError("atoms clash, or the property is no number, in every conformer", "no_conformer")
    if not len(found.scores):
        found.add(random.positions, random.scores)
    _search(found, mol, draws[:first], score, n, np.random.default_rng(seed))
    sign = 1 if maximise else -1
    return Optimised(*(_best(pool, mol, sign) for pool in (found, random)))


def _search(
    pool: _Pool,
    mol: Chem.Mol,
    draws: Float[np.ndarray, "c n 3"],
    score: Property,
    n: int,
    random: np.random.Generator,
) -> None:
    """Lets a pool of conformers evolve until `n` have been looked at, or hardly any child is possible."""
    torsions = find_torsions(mol)
    if not len(torsions):
        return
    known = measure_torsions(draws, torsions)
    begun = pool.evaluations
    for _ in range(n):
        if pool.evaluations >= n:
            return
        done = (pool.evaluations - begun) / (n - begun)
        # The better, the more children.
        places = (len(pool.positions) * random.random(_CHILDREN) ** 2).astype(np.int64)
        parents = pool.positions[places]
        angles = measure_torsions(parents, torsions)
        turned = random.random(angles.shape) < _TURNED
        turned[np.arange(_CHILDREN), random.integers(len(torsions), size=_CHILDREN)] = True
        taken = turned & (random.random(angles.shape) < _TAKEN)
        given = known[random.integers(len(known), size=_CHILDREN)]
        noise = random.normal(scale=_WIDE * (_NARROW / _WIDE) ** done, size=angles.shape)
        angles = np.where(taken, given, angles) + turned * noise
        _evaluate(pool, mol, turn_torsions(parents, torsions, angles), score, n - pool.evaluations)


def _evaluate(
    pool: _Pool,
    mol: Chem.Mol,
    positions: Float[np.ndarray, "c n 3"],
    score: Property,
    most: int | None = None,
) -> None:
    """Adds up to `most` of the conformers that are possible."""
    possible = positions[~have_clashes(mol, positions)][:most]
    scores = np.array([score(with_positions(mol, pos[None])) for pos in possible], dtype=np.float64)
    finite = np.isfinite(scores)
    pool.add(possible[finite], scores[finite])


def _score(property: Property, maximise: bool) -> Property:
    return property if maximise else lambda each: -property(each)


def _empty(mol: Chem.Mol) -> _Pool:
    return _Pool(np.empty((0, mol.GetNumAtoms(), 3)), np.empty(0))


def _best(pool: _Pool, mol: Chem.Mol, sign: int) -> Best:
    # Draws are of the right isomer, and a bond that turns changes no configuration; yet this is promised.
    right = keep_configurations(mol, pool.positions)
    return Best(with_positions(mol, pool.positions[right]), sign * pool.scores[right], pool.evaluations)
