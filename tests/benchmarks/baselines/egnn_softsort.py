"""A peer to measure against: the published kind of group-invariant autoencoder, in plain PyTorch Geometric.

EGNN encoder on the fully connected sparse graph (Satorras et al. 2021, arXiv:2102.09844), a code pooled from
the nodes, a rotation from two pooled vectors by Gram-Schmidt, a SoftSort permuter, and a transformer decoder
whose positional encodings are permuted (PIGVAE, Winter et al. 2021, arXiv:2104.09856; GIAE, Winter et al.
2022, arXiv:2202.07559). Two choices make it faster than what was published: the first linear map of a message
is applied to nodes before they are paired, and the decoder attends over nodes, where PIGVAE's attends over
all pairs of nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Batch, Data
from torch_geometric.nn import MessagePassing, global_add_pool, global_mean_pool
from torch_geometric.utils import scatter, to_dense_adj, to_dense_batch

from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema

#: Standard deviation of the noise on node features that breaks ties of the permuter, as published.
TIE_NOISE = 0.05
#: Weight of the penalty on soft permutations.
PERMUTATION_WEIGHT = 0.025
#: Weight of a squared error in Å².
POSITION_WEIGHT = 5.0


class EGNNLayer(MessagePassing):
    """One round of messages; scalars see distances and bonds, vectors grow along differences."""

    def __init__(self, width: int, vectors: int, edge_types: int) -> None:
        super().__init__(aggr="add")
        self.width, self.vectors = width, vectors
        self.receiver = nn.Linear(width, width)
        self.sender = nn.Linear(width, width, bias=False)
        self.bond = nn.Embedding(edge_types, width)
        self.distance = nn.Linear(1, width, bias=False)
        self.message_mlp = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.weigh = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, vectors))
        self.update_mlp = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, scalars: Tensor, vectors: Tensor, pos: Tensor, edge_index: Tensor, bond: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns scalars (n d) and vectors (n v 3) after the round."""
        normed = self.norm(scalars)
        received = self.propagate(
            edge_index, to=self.receiver(normed), of=self.sender(normed), pos=pos, bond=bond
        )
        summed, moved = received.split([self.width, 3 * self.vectors], dim=-1)
        return scalars + self.update_mlp(torch.cat([normed, summed], dim=-1)), vectors + moved.unflatten(
            -1, (self.vectors, 3)
        )

    def message(self, to_i: Tensor, of_j: Tensor, pos_i: Tensor, pos_j: Tensor, bond: Tensor) -> Tensor:
        """Scalar message and flattened vector messages of each edge."""
        away = pos_i - pos_j
        square = away.square().sum(-1, keepdim=True)
        message = self.message_mlp(to_i + of_j + self.bond(bond) + self.distance(square))
        along = away / (square.sqrt() + 1.0)
        vectors = self.weigh(message).unsqueeze(-1) * along.unsqueeze(1)
        return torch.cat([message, vectors.flatten(1).to(message.dtype)], dim=-1)


class SoftSortPermuter(nn.Module):
    """Sorts the nodes of each graph by a score, softly; rows are nodes, columns are slots."""

    def __init__(self, width: int, temperature: float = 1.0) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)
        self.temperature = temperature

    def forward(self, nodes: Tensor, batch: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Returns the soft permutations (b m m) and the mask of real nodes (b m)."""
        scores, mask = to_dense_batch(
            self.score(nodes + TIE_NOISE * torch.randn_like(nodes)), batch, 0.0, size
        )
        scores = scores.squeeze(-1).float().masked_fill(~mask, 1e4)
        ordered = scores.sort(dim=1).values
        logits = -(scores.unsqueeze(2) - ordered.unsqueeze(1)).abs() / self.temperature
        return logits.softmax(dim=-1) * mask.unsqueeze(-1), mask


class SlotTransformer(nn.Module):
    """Decodes a code on positional encodings that the permutation has moved into the order of the nodes."""

    positions: Tensor

    def __init__(self, code_size: int, width: int, layers: int, heads: int, schema: Schema) -> None:
        super().__init__()
        self.node_sizes = schema.node_sizes
        self.register_buffer("positions", positional_encoding(schema.max_nodes, width))
        self.start = nn.Linear(code_size, width)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.node = nn.Linear(width, sum(schema.node_sizes))
        self.pair = nn.Linear(width, 64)
        self.edge = nn.Linear(64, schema.edge_types)
        self.place = nn.Linear(width, 3)
        self.size = nn.Linear(code_size, schema.max_nodes + 1)

    def forward(
        self, code: Tensor, permutation: Tensor, mask: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor, Tensor]:
        """Returns scores of the node channels, of the edges and of the size, and positions, in node order."""
        slots = permutation @ self.positions[: permutation.shape[2]]
        nodes = self.layers(self.start(code).unsqueeze(1) + slots, src_key_padding_mask=~mask)
        ends = self.pair(nodes)
        edges = self.edge(functional.gelu(ends.unsqueeze(1) + ends.unsqueeze(2)))
        return self.node(nodes).split(self.node_sizes, dim=-1), edges, self.size(code), self.place(nodes)


class EGNNSoftSort(nn.Module):
    """The whole autoencoder; `forward` gives the training loss of a batch.

    Args:
        schema: What the graphs carry.
        code_size: Channels of the code.
        width: Channels of a node, in the encoder and in the decoder.
        layers: Rounds of messages, and layers of the decoder.
        heads: Attention heads of the decoder.
        vectors: Vector channels of a node.
    """

    def __init__(
        self, schema: Schema, code_size: int, width: int, layers: int = 4, heads: int = 8, vectors: int = 8
    ) -> None:
        super().__init__()
        self.vectors = vectors
        self.embed = nn.ModuleList(nn.Embedding(size, width) for size in schema.node_sizes)
        self.layers = nn.ModuleList(EGNNLayer(width, vectors, schema.edge_types) for _ in range(layers))
        self.pool = nn.Sequential(nn.Linear(width, width), nn.SiLU())
        self.code = nn.Linear(width, code_size)
        self.frame = nn.Linear(vectors, 2, bias=False)
        self.permuter = SoftSortPermuter(width)
        self.decoder = SlotTransformer(code_size, width, layers, heads, schema)

    def forward(self, data: Batch) -> Tensor:
        """Mean loss of a batch: `x`, `pos`, `edge_index` of all pairs, and their bonds as `edge_attr`."""
        size = int(data.ptr.diff().max())
        centre = global_mean_pool(data.pos, data.batch)
        nodes, code, rotation = self.encode(data, centre)
        permutation, mask = self.permuter(nodes, data.batch, size)
        node_logits, edge_logits, size_logits, canonical = self.decoder(code, permutation, mask)
        pos = canonical.float() @ rotation.mT + centre.unsqueeze(1)
        terms = [
            functional.cross_entropy(logits[mask].float(), data.x[:, k], reduction="sum")
            for k, logits in enumerate(node_logits)
        ]
        bonds = to_dense_adj(data.edge_index, data.batch, data.edge_attr, size)
        pairs = (mask.unsqueeze(1) & mask.unsqueeze(2)).triu(1)
        terms.append(functional.cross_entropy(edge_logits[pairs].float(), bonds[pairs], reduction="sum"))
        terms.append(functional.cross_entropy(size_logits.float(), mask.sum(1), reduction="sum"))
        terms.append(POSITION_WEIGHT * (pos[mask] - data.pos).square().sum())
        terms.append(PERMUTATION_WEIGHT * permutation_penalty(permutation, mask))
        return torch.stack(terms).sum() / len(code)

    def encode(self, data: Batch, centre: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns node features (n d), codes (b d) and rotations (b 3 3)."""
        pos = data.pos - centre[data.batch]
        scalars = torch.stack([table(data.x[:, k]) for k, table in enumerate(self.embed)]).sum(0)
        vectors = pos.new_zeros(len(pos), self.vectors, 3)
        for layer in self.layers:
            scalars, vectors = layer(scalars, vectors, pos, data.edge_index, data.edge_attr)
        code = self.code(global_add_pool(self.pool(scalars), data.batch))
        pooled = scatter(vectors.float(), data.batch, reduce="mean")
        return scalars, code, gram_schmidt(torch.einsum("bvx,kv->bkx", pooled, self.frame.weight))


def gram_schmidt(pair: Tensor) -> Tensor:
    """Rotations whose columns are the orthonormalised pair (b 2 3) and its cross product."""
    first = functional.normalize(pair[:, 0], dim=-1)
    second = pair[:, 1] - (pair[:, 1] * first).sum(-1, keepdim=True) * first
    second = functional.normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def permutation_penalty(permutation: Tensor, mask: Tensor) -> Tensor:
    """Entropy of the rows and of the normalised columns: 0 only for a permutation (PIGVAE)."""
    rows = -(permutation * permutation.clamp(min=1e-12).log()).sum(2)
    columns = permutation / permutation.sum(1, keepdim=True).clamp(min=1e-12)
    columns = -(columns * columns.clamp(min=1e-12).log()).sum(1)
    return ((rows + columns) * mask).sum()


def positional_encoding(count: int, width: int) -> Tensor:
    """Sines and cosines of the slot number, of geometrically spaced frequencies; width must be even."""
    frequency = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    phase = torch.arange(count).unsqueeze(1) * frequency
    return torch.stack([phase.sin(), phase.cos()], dim=2).flatten(1)


def sparse_batch(batch: DenseBatch) -> Batch:
    """The same graphs as a batch of PyTorch Geometric, with an edge each way between all pairs of nodes."""
    return Batch.from_data_list(list(_graphs(batch)))


def _graphs(batch: DenseBatch) -> Iterable[Data]:
    if batch.pos is None:
        raise ValueError("this autoencoder needs graphs with positions")
    for graph, size in enumerate(batch.sizes.tolist()):
        bonds = batch.edges[graph, :size, :size]
        edge_index = (~torch.eye(size, dtype=torch.bool)).nonzero().T.contiguous()
        yield Data(
            x=batch.nodes[graph, :size],
            pos=batch.pos[graph, :size],
            edge_index=edge_index,
            edge_attr=bonds[edge_index[0], edge_index[1]],
        )
