"""A group of your own, held to the axioms, and a network made invariant to it.

Run it from the top of the repository: python tutorials/your_own_group.py
"""

# %% The group of scalings of point clouds: x -> s x with s > 0
from dataclasses import dataclass

import torch

from molae.groups import Group


@dataclass(frozen=True)
class Scalings(Group[torch.Tensor]):
    """Elements are factors s of shape (b), one for each cloud."""

    def identity(self, batch_size, *, dtype=torch.float32, device="cpu"):
        return torch.ones(batch_size, dtype=dtype, device=device)

    def sample(self, batch_size, *, generator=None, dtype=torch.float32, device="cpu"):
        return torch.randn(batch_size, generator=generator, dtype=dtype, device=device).exp()

    def compose(self, a, b):
        return a * b

    def inverse(self, a):
        return 1 / a

    def act(self, a, x):
        return a[:, None, None] * x

    def contains(self, a, tolerance=1e-6):
        return (a > 0) & a.isfinite()


# %% The contract suite tells what is wrong with it, by name
from molae.testing import check_group, equivariance_gap  # noqa: E402

group, clouds = Scalings(), torch.randn(16, 5, 3, dtype=torch.float64)
print(check_group(group, clouds))

# %% Any network becomes exactly invariant: it sees every cloud scaled to size 1
from molae.nn.canonical import Canonicalised  # noqa: E402

network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(15, 8), torch.nn.Tanh()).double()
invariant = Canonicalised(network, group, lambda x: x.square().mean((1, 2)).sqrt())
print("plain network:", equivariance_gap(network, group, clouds).mean().item())
print("canonicalised:", equivariance_gap(lambda x: invariant(x)[0], group, clouds).mean().item())
