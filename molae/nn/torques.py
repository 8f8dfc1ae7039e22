"""Torques about the rotatable bonds of molecules, from learned forces between pairs of atoms.

A force between two atoms acts along the line that joins them, with a strength that depends on the two atoms
in their graph, on their distance and on time. The turning moment of all forces on what lies behind a bond is
then the same however the molecule lies in space, and changes its sign with a reflection, as the turn itself
does: equivariance needs no further care, and mirror images are treated alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from molae.batch.skeletons import SkeletonBatch
from molae.nn.attention import AttentionLayer
from molae.ops import full_precision, safe_norm, safe_normalise

#: Most bonds between two atoms that are told apart.
_MOST_HOPS = 15
#: Beyond this distance, in Å, two atoms exert no force on each other.
_REACH = 12.0
#: What the attention to atoms out of reach is lowered by.
_UNSEEN = -1e4
#: Pairs of atoms, of all conformers of a molecule together, that are computed at once, to fit into caches.
_PAIRS_AT_ONCE = 8_000
#: Fourier components of time that are seen.
_FREQUENCIES = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Pairs:
    """Pairs of different nodes, each once.

    Attributes:
        ends: First and second node of each pair; the first comes earlier.
        size: Number of nodes.
    """

    ends: Int[Tensor, "2 x"]
    size: int

    def take(self, which: Bool[Tensor, " x"]) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.ends[:, which], self.size)

    def difference(self, nodes: Float[Tensor, "m c p"]) -> Float[Tensor, "x c p"]:
        """What the first node of each pair has, less what the second has."""
        first, second = (nodes.index_select(0, end) for end in self.ends)
        return first.sub_(second)

    def add_ends(self, to: Float[Tensor, "x c p"], nodes: Float[Tensor, "m c p"]) -> None:
        """Adds what both nodes of each pair have, in place: what does not fit into caches is not copied."""
        for end in self.ends:
            to.add_(nodes.index_select(0, end))

    def at_ends(self, given: Float[Tensor, "x c p"], sign: int = 1) -> Float[Tensor, "m c p"]:
        """The sum of what its pairs give each node; the second of a pair gets `sign` times as much."""
        flat = given.flatten(1)
        nothing = flat.new_zeros(self.size, flat.shape[1])
        sums = nothing.index_add_(0, self.ends[0], flat).index_add_(0, self.ends[1], flat, alpha=sign)
        return sums.unflatten(1, given.shape[1:])


@dataclass(frozen=True)
class Context:
    """What the graphs alone tell, computed once for all conformers and times.

    Attributes:
        which: The pairs of atoms, the same for all graphs.
        pairs: Channels of each pair.
        real: 1 for pairs of real atoms, 0 at padding.
        turning: Channels of each rotatable bond, the same for both directions.
    """

    which: Pairs
    pairs: Float[Tensor, "b x p"]
    real: Float[Tensor, "b x"]
    turning: Float[Tensor, "b t d"]

    def take(self, index: Int[Tensor, " c"]) -> Context:
        """The context of some graphs, which may repeat."""
        return Context(self.which, self.pairs[index], self.real[index], self.turning[index])

    def split(self, apart: Bool[Tensor, " x"]) -> tuple[Context, Context]:
        """The context with some of the pairs alone, and with the others alone."""
        first, second = (
            Context(self.which.take(part), self.pairs[:, part], self.real[:, part], self.turning)
            for part in (apart, ~apart)
        )
        return first, second


@lru_cache(maxsize=128)
def all_pairs(size: int, device: torch.device) -> Pairs:
    """The pairs of so many nodes."""
    return Pairs(torch.triu_indices(size, size, 1, device=device), size)


class GraphContext(nn.Module):
    """Attention between the atoms of a graph, which sees bonds and how many of them lie between two atoms.

    Args:
        node_sizes: Number of categories of each node channel.
        edge_types: Number of edge categories.
        levels: Number of levels of theory.
        width: Channels of an atom.
        pair_width: Channels of a pair of atoms.
        layers: Layers of attention.
        heads: Attention heads.
        reach: Most bonds between two atoms that attend to each other; None for any.
    """

    def __init__(
        self,
        node_sizes: tuple[int, ...],
        edge_types: int,
        levels: int,
        width: int,
        pair_width: int,
        layers: int,
        heads: int,
        reach: int | None = None,
    ) -> None:
        super().__init__()
        self.node = nn.ModuleList(nn.Embedding(size, width) for size in node_sizes)
        self.level = nn.Embedding(levels, width)
        self.hops = nn.Embedding(_MOST_HOPS + 1, pair_width)
        self.edge = nn.Embedding(edge_types, pair_width)
        self.heads, self.reach = heads, reach
        self.bias = nn.Linear(pair_width, layers * heads)
        self.layers = nn.ModuleList(AttentionLayer(width, heads) for _ in range(layers))
        self.ends = nn.Linear(width, 2 * pair_width)
        self.mix = nn.Linear(pair_width, pair_width)
        for embedding in (*self.node, self.level):
            nn.init.normal_(embedding.weight, std=0.3)

    def forward(self, batch: SkeletonBatch) -> Context:
        nodes = torch.stack([embed(batch.nodes[..., k]) for k, embed in enumerate(self.node)]).sum(0)
        nodes = nodes + self.level(batch.level).unsqueeze(1)
        between = self.hops(batch.hops.clamp(max=_MOST_HOPS)) + self.edge(batch.edges)
        bias = self.bias(nn.functional.silu(between)).permute(0, 3, 1, 2)
        if self.reach is not None:
            bias = bias.masked_fill((batch.hops > self.reach).unsqueeze(1), _UNSEEN)
        for layer, scores in zip(self.layers, bias.split(self.heads, dim=1), strict=True):
            nodes = layer(nodes, batch.mask, scores)
        sums, factors = self.ends(nodes).chunk(2, dim=-1)
        which = all_pairs(nodes.shape[1], nodes.device)
        i, j = which.ends
        pairs = between[:, i, j] + sums[:, i] + sums[:, j] + factors[:, i] * factors[:, j]
        real = (batch.mask[:, i] & batch.mask[:, j]).to(nodes.dtype)
        return Context(which, self.mix(nn.functional.silu(pairs)), real, _both_ways(nodes, batch.bonds))


class PairForces(nn.Module):
    """Forces on atoms along the lines to all others, once told who is near.

    Args:
        pair_width: Channels of a pair of atoms.
        seen: Channels of the time, 0 where there is none.
    """

    def __init__(self, pair_width: int, seen: int = 0) -> None:
        super().__init__()
        self.time = None
        if seen:
            self.time = nn.Sequential(nn.Linear(seen, 64), nn.SiLU(), nn.Linear(64, 3 * pair_width))
        self.gather = nn.Linear(RADIAL, pair_width, bias=False)
        self.node = nn.Sequential(nn.Linear(pair_width, 64), nn.SiLU(), nn.Linear(64, pair_width))
        self.distance = nn.Linear(RADIAL, pair_width, bias=False)
        self.strength = nn.Sequential(
            nn.SiLU(inplace=True),
            nn.Linear(pair_width, pair_width),
            nn.SiLU(inplace=True),
            nn.Linear(pair_width, 1),
        )
        self.profile = nn.Linear(pair_width, RADIAL)
        for parameter in (*self.profile.parameters(), *self.strength[-1].parameters()):
            nn.init.zeros_(parameter)

    def at(self, context: Context, seen: Float[Tensor, "c f"] | None = None) -> PairsAtTime:
        """Computes what of the pairs does not depend on the positions.

        Args:
            context: What the graphs tell, a row for each conformer, or one row for conformers of one graph.
            seen: The time as the network sees it, where there is one; likewise.
        """
        pairs, real = context.pairs.transpose(0, 1), context.real.T
        hidden = pairs
        if self.time is not None:
            gain, shift, start = self.time(seen).chunk(3, dim=-1)
            pairs = pairs * (1 + gain) + shift
            hidden = pairs + start
        profile = self.profile(nn.functional.silu(pairs))
        radial = torch.cat([self.gather.weight, self.distance.weight])
        return PairsAtTime(context.which, pairs, pairs * real.unsqueeze(-1), hidden, profile, radial, real)

    def forward(
        self, at_time: PairsAtTime, pos: Float[Tensor, "c m 3"], others: Float[Tensor, "c m p"] | None = None
    ) -> Float[Tensor, "c m 3"]:
        """Returns the sum of the forces on each atom.

        Args:
            at_time: What `at` gives.
            pos: Positions in Å.
            others: What `near` gives of pairs that the context leaves out, or None where it leaves out none.
        """
        parts = pos.split(at_time.at_once or len(pos))
        told = (None,) * len(parts) if others is None else others.split(len(parts[0]))
        return torch.cat([self._sum(at_time, *part) for part in zip(parts, told, strict=True)])

    def near(self, at_time: PairsAtTime, pos: Float[Tensor, "c m 3"]) -> Float[Tensor, "c m p"]:
        """What each atom is told of those around it by the pairs of the context; see `forward`."""
        which = at_time.which
        away = which.difference(pos.transpose(0, 1))
        gathered = self.gather(radial_basis(safe_norm(away).squeeze(-1)))
        return which.at_ends((gathered * at_time.gain).to(pos.dtype)).transpose(0, 1)

    def _sum(
        self, at_time: PairsAtTime, pos: Float[Tensor, "c m 3"], others: Float[Tensor, "c m p"] | None
    ) -> Float[Tensor, "c m 3"]:
        # Pairs come first: what they take from atoms and give to them then lies in long rows.
        which = at_time.which
        away = which.difference(pos.transpose(0, 1))
        distance = safe_norm(away).squeeze(-1)
        radial = radial_basis(distance)
        gathered, apart = nn.functional.linear(radial, at_time.radial).chunk(2, dim=-1)
        near = which.at_ends((gathered * at_time.gain).to(pos.dtype))
        if others is not None:
            near = near + others.transpose(0, 1)
        # 0.3: a sum over some tens of neighbours is to come out of the order of one.
        nodes = self.node(0.3 * near)
        hidden = torch.addcmul(at_time.hidden, at_time.pairs, apart)
        which.add_ends(hidden, nodes)
        strength = self.strength(hidden).squeeze(-1) + (at_time.profile * radial).sum(-1)
        strength = strength * at_time.real * (distance < _REACH)
        return _sum_forces(strength, away, distance, which).transpose(0, 1)


@dataclass(frozen=True)
class PairsAtTime:
    """Pairs at a time; `b` is one for conformers of one graph.

    Attributes:
        which: The pairs.
        pairs: Their channels.
        gain: The same, 0 at padding.
        hidden: What the channels that give the strength of a force begin from.
        profile: How the strength depends on the distance alone, by radial functions.
        radial: Weights of the radial functions in what is gathered, and in the channels of a pair.
        real: 1 for pairs of real atoms, 0 at padding.
    """

    which: Pairs
    pairs: Float[Tensor, "x b p"]
    gain: Float[Tensor, "x b p"]
    hidden: Float[Tensor, "x b p"]
    profile: Float[Tensor, "x b r"]
    radial: Float[Tensor, "q r"]
    real: Float[Tensor, "x b"]

    @property
    def at_once(self) -> int | None:
        """Conformers of one graph that are computed at once; None, all, where graphs may differ."""
        pairs, graphs = self.real.shape
        return max(1, _PAIRS_AT_ONCE // max(1, pairs)) if graphs == 1 else None


@full_precision
def _sum_forces(
    strength: Float[Tensor, "x c"], away: Float[Tensor, "x c 3"], distance: Float[Tensor, "x c"], which: Pairs
) -> Float[Tensor, "m c 3"]:
    """The sum of the forces on each atom, opposite on both ends of each pair."""
    force = strength.to(away.dtype) / distance.masked_fill(distance == 0, 1.0)
    return which.at_ends(force.unsqueeze(-1) * away, -1)


class TorqueField(nn.Module):
    """Angular velocities of the rotatable bonds of conformers.

    Args:
        width: Channels of an atom in its graph.
        pair_width: Channels of a pair of atoms.
    """

    def __init__(self, width: int, pair_width: int) -> None:
        super().__init__()
        seen = 1 + 2 * len(_FREQUENCIES)
        self.forces = PairForces(pair_width, seen)
        self.inertia = nn.Sequential(nn.Linear(2 * width + seen, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(
        self,
        context: Context,
        pos: Float[Tensor, "c m 3"],
        time: Float[Tensor, " c"],
        bonds: Int[Tensor, "c t 2"],
        moved: Bool[Tensor, "c t m"],
    ) -> Float[Tensor, "c t"]:
        """Returns the velocities, in radians per unit of time; those of padding mean nothing.

        Args:
            context: What the graphs tell, a row for each conformer, or one row for conformers of one graph.
            pos: Positions in Å.
            time: Time of each conformer, between 0 and 1; likewise.
            bonds: Both ends of each rotatable bond; likewise.
            moved: Whether an atom lies behind the second end of a bond; likewise.
        """
        return self.velocities(self.at(context, time), pos, bonds, moved)

    def at(self, context: Context, time: Float[Tensor, " c"]) -> FieldAtTime:
        """Computes what of the field does not depend on the positions; see `forward`."""
        seen = _fourier(time)
        bonds = seen.unsqueeze(1).expand(-1, context.turning.shape[1], -1)
        ease = self.inertia(torch.cat([context.turning, bonds], dim=-1)).squeeze(-1).exp()
        return FieldAtTime(self.forces.at(context, seen), ease)

    def velocities(
        self,
        at_time: FieldAtTime,
        pos: Float[Tensor, "c m 3"],
        bonds: Int[Tensor, "c t 2"],
        moved: Bool[Tensor, "c t m"],
        others: Float[Tensor, "c m p"] | None = None,
    ) -> Float[Tensor, "c t"]:
        """Returns the velocities as `forward` does.

        Args:
            at_time: What `at` gives.
            pos: As there, likewise below.
            bonds: As there.
            moved: As there.
            others: What `unturned` gives, where the context is without the pairs that no bond turns.
        """
        return _torques(self.forces(at_time.pairs, pos, others), pos, bonds, moved) * at_time.ease

    def unturned(
        self, context: Context, pos: Float[Tensor, "c m 3"], time: Float[Tensor, " c"]
    ) -> Float[Tensor, "c m p"]:
        """What the pairs of atoms that no bond turns against each other contribute.

        Their distances stay as they are, and a force along the line that joins the two has no moment about
        any bond: nothing else of them matters to the velocities.

        Args:
            context: The context of these pairs alone.
            pos: Positions in Å.
            time: The time.
        """
        return self.forces.near(self.forces.at(context, _fourier(time)), pos)


@dataclass(frozen=True)
class FieldAtTime:
    """The field at a time; `b` is one for conformers of one graph.

    Attributes:
        pairs: Pairs of atoms at that time.
        ease: Velocity of each bond for a moment of one.
    """

    pairs: PairsAtTime
    ease: Float[Tensor, "b t"]


class Refiner(nn.Module):
    """Moves the atoms of conformers, a little at a time, by forces between pairs of them.

    Args:
        pair_width: Channels of a pair of atoms.
        rounds: How often they move, each time by forces of their own.
    """

    def __init__(self, pair_width: int, rounds: int) -> None:
        super().__init__()
        self.rounds = nn.ModuleList(PairForces(pair_width) for _ in range(rounds))

    def forward(self, context: Context, pos: Float[Tensor, "c m 3"]) -> Float[Tensor, "c m 3"]:
        """Returns the new positions, in Å.

        Args:
            context: What the graphs tell, a row for each conformer, or one row for conformers of one graph.
            pos: Positions in Å.
        """
        return self.moved(self.at(context), pos)

    def at(self, context: Context) -> list[PairsAtTime]:
        """Computes, for each round, what does not depend on the positions; see `forward`."""
        return [cast(PairForces, forces).at(context) for forces in self.rounds]

    def moved(self, pairs: list[PairsAtTime], pos: Float[Tensor, "c m 3"]) -> Float[Tensor, "c m 3"]:
        """Returns the new positions as `forward` does, with what `at` gives."""
        for forces, each in zip(self.rounds, pairs, strict=True):
            # 0.1 Å for a force of one: what is to be set right is of that order.
            pos = pos + 0.1 * forces(each, pos).to(pos.dtype)
        return pos


def turned_pairs(which: Pairs, bonds: Int[Tensor, "t 2"], moved: Bool[Tensor, "t m"]) -> Bool[Tensor, " x"]:
    """Tells the pairs of nodes whose distance depends on the angle of a bond.

    Args:
        which: The pairs.
        bonds: Both ends of each bond.
        moved: Whether a node lies behind the second end of a bond.
    """
    on_axis = torch.zeros_like(moved).scatter(1, bonds, True)
    i, j = which.ends
    return ((moved[:, i] != moved[:, j]) & ~on_axis[:, i] & ~on_axis[:, j]).any(0)


@full_precision
def _torques(
    forces: Float[Tensor, "c m 3"],
    pos: Float[Tensor, "c m 3"],
    bonds: Int[Tensor, "c t 2"],
    moved: Bool[Tensor, "c t m"],
) -> Float[Tensor, "c t"]:
    """Moments about bonds of the forces on what lies behind them."""
    forces, behind = forces.to(pos.dtype), moved.to(pos.dtype)
    ends = pos.gather(1, bonds.flatten(1).unsqueeze(-1).expand(len(pos), -1, 3))
    begin, end = ends.unflatten(1, (-1, 2)).unbind(2)
    # The moment about a point of the bond is that about the origin less that of the whole force there.
    moment = behind @ torch.linalg.cross(pos, forces) - torch.linalg.cross(end, behind @ forces)
    return (safe_normalise(end - begin) * moment).sum(-1)


#: Distances at which the radial functions are centred, in Å, and their widths.
_CENTRES = tuple(1.4 + 0.35 * k for k in range(16)) + tuple(7.55 + 0.9 * k for k in range(8))
_WIDTHS = (0.35,) * 16 + (0.9,) * 8
#: One e to the power of this counts as nothing.
_MOST_EXPONENT = 20.0
#: Number of radial basis functions of a distance.
RADIAL = len(_CENTRES)


def radial_basis(distance: Float[Tensor, "*b"]) -> Float[Tensor, "*b r"]:
    """Gaussians of a distance in Å, close together where atoms touch, and wider farther out."""
    offset, scale = _gaussians(distance.dtype, distance.device)
    away = torch.addcmul(offset, distance.unsqueeze(-1), scale)
    # Beyond, numbers without leading bits would make this and all products with it several times slower.
    return away.square().clamp_(max=_MOST_EXPONENT).neg_().exp_()


@lru_cache(maxsize=8)
def _gaussians(dtype: torch.dtype, device: torch.device) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"]]:
    """Offset and scale that make a distance the root of what each Gaussian has as its exponent."""
    # Whoever asks first: what is made in inference mode could not be trained with later.
    with torch.inference_mode(False):
        widths = math.sqrt(2) * torch.tensor(_WIDTHS, dtype=dtype, device=device)
        centres = torch.tensor(_CENTRES, dtype=dtype, device=device)
        return -centres / widths, 1 / widths


def _fourier(time: Float[Tensor, " c"]) -> Float[Tensor, "c f"]:
    angles = math.pi * time.unsqueeze(-1) * torch.tensor(_FREQUENCIES, dtype=time.dtype, device=time.device)
    return torch.cat([time.unsqueeze(-1), angles.sin(), angles.cos()], dim=-1)


def _both_ways(nodes: Float[Tensor, "b m d"], bonds: Int[Tensor, "b t 2"]) -> Float[Tensor, "b t e"]:
    """Channels of pairs of nodes that do not tell the first from the second."""
    index = bonds.flatten(1).unsqueeze(-1).expand(-1, -1, nodes.shape[-1])
    first, second = nodes.gather(1, index).unflatten(1, (-1, 2)).unbind(2)
    return torch.cat([first + second, first * second], dim=-1)
