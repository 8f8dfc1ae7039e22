"""Conformers of one molecule, for Python."""

from __future__ import annotations

from rdkit import Chem

from molae.apps.conformers.generator import DEFAULT, open_generator
from molae.apps.conformers.isomers import sample_isomers
from molae.apps.conformers.sampled import Relax, Request, check_request
from molae.apps.molecules import as_source
from molae.chem.isomers import with_positions


def conformers(
    molecule: str | Chem.Mol,
    n: int = 50,
    seed: int = 0,
    *,
    model: str = DEFAULT,
    relax: Relax = "none",
    prune_rmsd: float | None = None,
    time_limit: float | None = None,
    of: int | None = None,
) -> Chem.Mol:
    """Makes conformers of a molecule, all of the isomer that it says.

    Args:
        molecule: SMILES or RDKit molecule; positions that it has serve to tell its stereo alone.
        n: Number of conformers.
        seed: Seed; it also picks an isomer where the stereo is open.
        model: Name of a shipped model of conformers, path of one, or `etkdg` for ETKDGv3 alone.
        relax: `none`, `mmff` (MMFF94s) or `gfn2` (GFN2-xTB, which needs tblite).
        prune_rmsd: Least heavy-atom RMSD between two conformers, in Å; None for no pruning.
        time_limit: Seconds after which nothing further is begun; None for no limit.
        of: Conformers that are drawn, of which the `n` commonest that differ are kept, or with `relax` the
            `n` lowest that differ, all having been relaxed by MMFF94s; None for `n`, all of which are kept.
    Returns:
        The molecule with all hydrogens, atoms of the input first, and up to `n` conformers in Å, by energy
        where relaxed. Each conformer has the property `molae_generator`, how it was made, and
        `molae_energy_kcal_mol` where relaxed.
    Raises:
        RowError: If the molecule cannot be read, or there is not one conformer, with the reason.
        ConfigError: If an option does not fit.

    >>> mol = conformers("C[C@H](N)C(=O)O", n=3)
    >>> mol.GetNumConformers(), mol.GetNumAtoms()
    (3, 13)
    """
    request = Request(n, seed, relax, prune_rmsd, time_limit, of)
    check_request(request)
    isomer = sample_isomers(as_source(molecule), open_generator(model, time_limit), request)[0]
    sampled = isomer.sampled
    mol = with_positions(isomer.mol, sampled.positions)
    for conformer, made_by, energy in zip(
        mol.GetConformers(), sampled.made_by, sampled.energies, strict=True
    ):
        conformer.SetProp("molae_generator", made_by)
        if sampled.method is not None:
            conformer.SetDoubleProp("molae_energy_kcal_mol", float(energy))
    return mol
