"""From text, or any RDKit molecule, to the molecule that a model sees; or a reason why not."""

from __future__ import annotations

import re
import string
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors
from rdkit.rdBase import CaptureErrorLog

from molae.chem.quiet import Quiet
from molae.chem.stereo import assign_stereo_from_positions, has_other_stereo, has_positions
from molae.errors import RowError

# RDKit walks SMILES recursively: a chain of 100,000 atoms overflows the stack and ends the process.
MAX_CHARACTERS = 10_000
MAX_ATOMS = 1_000

OPEN_STEREO = "stereo left open"
"""How the note on stereo that the input leaves open begins."""

# RDKit's error log is one for the whole process.
_LOG_LOCK = Lock()
_TIMESTAMP = re.compile(r"^\[[\d:]+\] ", re.MULTILINE)
# What a plain SMILES is written with, and what stands in its brackets: elements of organic molecules, no
# labels, nor stereo of rare kinds.
_CHARACTERS = (string.ascii_letters + string.digits + "()[]=#@+-/\\%").encode()
_BRACKET = re.compile(r"(?:[BCNOFPSI]|Si|Cl|Se|Br|[bcnops]|se)(?![a-z])(?!.*@[ASTO]).*")
_UNTOUCHED = Chem.SmilesParserParams()
_UNTOUCHED.sanitize = False  # type: ignore[assignment]  # RDKit's stub is wrong
_UNTOUCHED.removeHs = False  # type: ignore[assignment]
# The steps that nothing in a plain SMILES is for: bonds to metals, and axes.
_NEEDLESS = Chem.SANITIZE_CLEANUP_ORGANOMETALLICS | Chem.SANITIZE_CLEANUPATROPISOMERS
_STEPS = Chem.SANITIZE_ALL & ~_NEEDLESS
# The steps that serve stereo, or what is not written.
_UNWRITTEN = Chem.SANITIZE_SETCONJUGATION | Chem.SANITIZE_SETHYBRIDIZATION | Chem.SANITIZE_CLEANUPCHIRALITY
_STEPS_TO_WRITE = _STEPS & ~_UNWRITTEN
_STEREO = "@/\\"
# What may stand for a dummy atom. Among aromatic atoms, RDKit tries all kinds of bonds to each: that takes
# twice as long for every further one, hours for thirty.
_DUMMY = re.compile(r"\*|#0")
_POSITION = re.compile(r"mistakes around position (\d+)")


class Prepared(NamedTuple):
    """A molecule as a model sees it.

    Attributes:
        mol: Sanitised, one fragment; of its hydrogens those that define a double bond are atoms, or all.
        notes: What was changed or left open on the way, for the user to read.
        closed_shell: Whether it is known that no electron is unpaired.
    """

    mol: Chem.Mol
    notes: tuple[str, ...] = ()
    closed_shell: bool = False


def parse_smiles(text: str | None) -> Chem.Mol:
    """Reads a SMILES; a CXSMILES extension is read too, a name behind it is not.

    Args:
        text: The SMILES, or None where the row has none.
    Returns:
        The sanitised molecule.
    Raises:
        RowError: `empty`; `unparsable`, if it is not the SMILES language; `invalid`, if it is but RDKit
            refuses the molecule (valence, aromaticity); `dummy_atom` and `query_bond`, as `prepare`;
            `too_large`, beyond 10,000 characters.
    """
    smiles, extension = _split(text)
    if not smiles:
        raise RowError("no molecule in this row", "empty")
    if len(smiles) > MAX_CHARACTERS:
        raise RowError(f"SMILES of {len(smiles)} characters, at most {MAX_CHARACTERS} are read", "too_large")
    smiles += extension
    if not (smiles.isascii() and smiles.isprintable()):
        raise RowError(f"not a valid SMILES: contains characters of no SMILES: {smiles[:40]!a}", "unparsable")
    with _LOG_LOCK, Quiet(), CaptureErrorLog() as log:
        if _DUMMY.search(smiles) and (mol := Chem.MolFromSmiles(smiles, sanitize=False)) is not None:
            _require_definite(mol)
        mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        raise _refusal(smiles, log.messages)
    return mol


def prepare(mol: Chem.Mol, hydrogens: bool = False, coordinates: bool = True) -> Prepared:
    """Makes the molecule that a model sees: one fragment, no labels, hydrogens uniform, stereo assigned.

    Of several fragments the largest that holds carbon stays (by heavy atoms, then mass, then SMILES): salts
    and solvents go. Isotope labels and atom map numbers go. Stereo is read from the positions where there
    are any in 3D, and stays as written otherwise; the coordinates of a drawing are dropped. Hydrogens go,
    but for those that define the geometry of a double bond, as in `[H]/N=C/C`; or all become atoms, those
    that are atoms already where they are, the others behind them and, in 3D, where RDKit puts them.

    Args:
        mol: Molecule of any source.
        hydrogens: Whether all hydrogens are atoms.
        coordinates: Whether the model sees positions. Otherwise those in 3D go once the stereo is read from
            them, and stereo that is left open stays so.
    Returns:
        The molecule, and notes on all that was changed but the hydrogens.
    Raises:
        RowError: `invalid`, if RDKit does not sanitise it; `no_atoms`; `dummy_atom`, for `*`, R groups and
            query atoms; `query_bond`, for bonds of no definite order; `too_large`, beyond 1,000 heavy atoms.
    """
    mol = Chem.Mol(mol)
    with Quiet():
        _require_definite(mol)
        _sanitise(mol)
        notes: list[str] = []
        mol = _parent(mol, notes)
        _drop_labels(mol, notes)
        mol = _with_stereo(mol, notes)
        if coordinates:
            _note_open_stereo(mol, notes)
        else:
            _note_other_stereo(mol, notes)
        mol = _with_hydrogens(mol) if hydrogens else Chem.RemoveHs(mol)
        if not coordinates:
            mol.RemoveAllConformers()
    _require_atoms(mol)
    return Prepared(mol, tuple(notes))


def prepare_smiles(text: str | None, to_write: bool = False) -> Prepared:
    """Makes of a SMILES the molecule that a model without coordinates sees.

    The same as `prepare(parse_smiles(text), coordinates=False)`, but several times faster for a plain SMILES,
    in which there is nothing to change.

    Args:
        text: The SMILES, or None where the row has none.
        to_write: Whether the molecule is for nothing but a SMILES to be written, so that its bonds need not
            know whether they are conjugated, nor its atoms how they are hybridised.
    Returns:
        The molecule, and notes.
    Raises:
        RowError: As the two.
    """
    smiles, extension = _split(text)
    if not extension and len(smiles) <= MAX_CHARACTERS and _is_plain(smiles):
        mol = _parse_plain(smiles, to_write and not any(mark in smiles for mark in _STEREO))
        if mol is not None:
            _require_atoms(mol)
            # Atoms that are not in brackets have all the hydrogens that they can bear.
            return Prepared(mol, closed_shell="[" not in smiles)
    return prepare(parse_smiles(text), coordinates=False)


def _is_plain(smiles: str) -> bool:
    """Whether a SMILES is one fragment without labels, dummies, hydrogens that are atoms, and rare kinds of
    elements, bonds and stereo.

    A regular expression for all of it takes three times as long.
    """
    if not smiles or not smiles.isascii() or smiles.encode().translate(None, _CHARACTERS):
        return False
    return all(_is_plain_atom(part.partition("]")[0]) for part in smiles.split("[")[1:])


@lru_cache(maxsize=4096)
def _is_plain_atom(text: str) -> bool:
    """Whether what stands in brackets is that of a plain SMILES."""
    return _BRACKET.fullmatch(text) is not None


def _parse_plain(smiles: str, to_write: bool) -> Chem.Mol | None:
    """The molecule of a plain SMILES, `to_write` only where it has no stereo; None where RDKit refuses it.

    RDKit does the same steps by itself, and then looks for centres that are left open, which nobody asks for,
    as it looks for bonds to metals before.
    """
    with Quiet():
        mol = Chem.MolFromSmiles(smiles, _UNTOUCHED)
        if mol is None:
            return None
        try:
            Chem.SanitizeMol(mol, _STEPS_TO_WRITE if to_write else _STEPS)
        except (Chem.MolSanitizeException, ValueError):
            return None
        if to_write:
            # Else RDKit would look for stereo before it writes.
            mol.SetIntProp("_StereochemDone", 1)
        else:
            Chem.AssignStereochemistry(mol, cleanIt=True)
    return mol


def _split(text: str | None) -> tuple[str, str]:
    """A SMILES, and its CXSMILES extension if it has one."""
    smiles, _, rest = (text or "").strip().partition(" ")
    return smiles, f" {rest}" if rest.startswith("|") else ""


def _require_atoms(mol: Chem.Mol) -> None:
    if mol.GetNumHeavyAtoms() > MAX_ATOMS:
        raise RowError(f"{mol.GetNumHeavyAtoms()} heavy atoms, at most {MAX_ATOMS} are read", "too_large")


def _refusal(smiles: str, messages: str) -> RowError:
    """Makes one line of what RDKit logged while it refused a SMILES."""
    first = next(iter(_TIMESTAMP.sub("", messages).splitlines()), "refused by RDKit")
    syntax = "SMILES Parse Error: " in first
    # RDKit quotes the whole input, which the user has.
    reason = re.split(r" (?:while parsing:|for input:)", first.replace("SMILES Parse Error: ", ""))[0].strip()
    position = _POSITION.search(messages)
    if position:
        reason += f" near position {position[1]}"
    if syntax:
        return RowError(f"not a valid SMILES: {reason}: {smiles[:60]!a}", "unparsable")
    return RowError(f"not a valid molecule: {reason}", "invalid")


def _require_definite(mol: Chem.Mol) -> None:
    if mol.GetNumAtoms() == 0:
        raise RowError("a molecule without atoms", "no_atoms")
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 0 or atom.HasQuery():
            raise RowError(
                f"atom {atom.GetIdx()} is no definite element (a dummy, R group or query)", "dummy_atom"
            )
    for bond in mol.GetBonds():
        if bond.HasQuery() or bond.GetBondType() in (Chem.BondType.UNSPECIFIED, Chem.BondType.ZERO):
            raise RowError(f"bond {bond.GetIdx()} has no definite order", "query_bond")


def _sanitise(mol: Chem.Mol) -> None:
    try:
        Chem.SanitizeMol(mol)
    except (Chem.MolSanitizeException, ValueError) as error:
        raise RowError(f"not a valid molecule: {error}", "invalid") from error


def _parent(mol: Chem.Mol, notes: list[str]) -> Chem.Mol:
    """The largest fragment that holds carbon, or the largest one if none does."""
    fragments = Chem.GetMolFrags(mol, asMols=True)
    if len(fragments) == 1:
        return mol
    parent, *others = sorted(fragments, key=_fragment_rank, reverse=True)
    names = ".".join(sorted(Chem.MolToSmiles(Chem.RemoveHs(other)) for other in others))
    notes.append(f"fragments removed: {names}")
    return parent


def _fragment_rank(mol: Chem.Mol) -> tuple[bool, int, float, str]:
    organic = any(atom.GetAtomicNum() == 6 for atom in mol.GetAtoms())
    return (
        organic,
        mol.GetNumHeavyAtoms(),
        round(rdMolDescriptors.CalcExactMolWt(mol), 3),
        Chem.MolToSmiles(mol),
    )


def _drop_labels(mol: Chem.Mol, notes: list[str]) -> None:
    atoms = list(mol.GetAtoms())
    if any(atom.GetIsotope() for atom in atoms):
        notes.append("isotope labels dropped")
    if any(atom.GetAtomMapNum() for atom in atoms):
        notes.append("atom map numbers dropped")
    for atom in atoms:
        atom.SetIsotope(0)
        # Would enter RDKit's canonical ranks.
        atom.SetAtomMapNum(0)
    # Data fields of mol blocks (partial charges, say): RDKit keeps every hydrogen that is in one.
    Chem.ClearMolSubstanceGroups(mol)


def _with_stereo(mol: Chem.Mol, notes: list[str]) -> Chem.Mol:
    if has_positions(mol) and not _is_drawing(mol):
        return assign_stereo_from_positions(mol)
    if mol.GetNumConformers():
        notes.append("coordinates dropped: a drawing in 2D")
        mol.RemoveAllConformers()
    if mol.GetStereoGroups():
        notes.append("enhanced stereo groups read as drawn")
        mol = Chem.RWMol(mol)
        mol.SetStereoGroups([])
        mol = mol.GetMol()
    # What was a centre by its isotopes only is one no longer.
    Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
    return mol


def _note_open_stereo(mol: Chem.Mol, notes: list[str]) -> None:
    if has_positions(mol):
        return
    if count := count_open_stereo(mol):
        notes.append(f"{OPEN_STEREO} in {count} place{'s' * (count > 1)}: one isomer is taken")


def _note_other_stereo(mol: Chem.Mol, notes: list[str]) -> None:
    """Notes stereo of kinds for which a molecule without positions has no category."""
    if has_other_stereo(mol):
        notes.append("stereo left out: of an axis, or a centre that is not tetrahedral")


def _with_hydrogens(mol: Chem.Mol) -> Chem.Mol:
    full = Chem.AddHs(mol, addCoords=True)
    # A hydrogen that came just now may define the geometry of a double bond.
    return assign_stereo_from_positions(full) if has_positions(full) else full


def count_open_stereo(mol: Chem.Mol) -> int:
    """Number of stereocentres and double bonds without configuration.

    A bond such as that of `C=NH` counts only where the hydrogen is an atom: without, nobody writes it.
    """
    count = 0
    for found in Chem.FindPotentialStereo(mol):
        if found.specified != Chem.StereoSpecified.Unspecified:
            continue
        if found.type == Chem.StereoType.Bond_Double:
            bond = mol.GetBondWithIdx(found.centeredOn)
            count += min(bond.GetBeginAtom().GetDegree(), bond.GetEndAtom().GetDegree()) > 1
        else:
            count += 1
    return count


def _is_drawing(mol: Chem.Mol) -> bool:
    """Whether a conformer that calls itself 3D is flat where a molecule is not, or a single point."""
    positions = mol.GetConformer().GetPositions()
    if len(positions) > 1 and not np.ptp(positions, axis=0).any():
        return True
    return not positions[:, 2].any() and any(
        atom.GetHybridization() == Chem.HybridizationType.SP3 and atom.GetDegree() >= 3
        for atom in mol.GetAtoms()
    )
