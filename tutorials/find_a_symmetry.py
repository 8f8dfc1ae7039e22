"""Find a symmetry that nobody named, in pairs of codes.

Run it from the top of the repository: python tutorials/find_a_symmetry.py [IMAGE]
"""

# %% Codes of pairs that differ by a transformation of one kind: here turned points of an ellipse, by angles
# that are not told
import math
import sys
import tempfile
from argparse import Namespace

import torch

from molae.nn.symmetry import find_symmetry

torch.manual_seed(0)
angle, between = 2 * math.pi * torch.rand(200), torch.rand(200) - 0.5
before, after = (torch.stack([3 * a.cos() + 1, a.sin()], 1) for a in (angle, angle + between))
found = find_symmetry(before, after)
print("generator:", found.generator.tolist(), "centre:", found.centre.tolist())
print(f"left unexplained: {found.error:.1e}; angles found, up to the sign: {found.amount[:3].tolist()}")
print(f"true angles: {between[:3].tolist()}")

# %% Codes of an autoencoder: a circle through a random network, seen as 20 numbers, and pairs of points that
# are always the same angle apart, which is not told. At first the generator explains the codes only in part;
# then the autoencoder is taught to have codes that it moves
sys.path.insert(0, "tests/benchmarks")
import unknown_symmetry  # noqa: E402

circle = unknown_symmetry.Circle(torch.Generator().manual_seed(0))
model = unknown_symmetry.CodedPairs(64)
settings = Namespace(pairs=2000, batch_size=128, steps=400, learning_rate=3e-3)
around, orbits = torch.linspace(0, 2 * math.pi, 200), {}
for name, alignment in (("codes", 0.0), ("aligned", 1.0)):
    unknown_symmetry.fit(model, circle, alignment, settings)
    figures = unknown_symmetry.measure(model, circle)
    print(f"{name:>8}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))
    with torch.no_grad():
        x, partner, _ = circle.pairs(2000)
        found = find_symmetry(model.encoder(x), model.encoder(partner))
        codes = model.encoder(circle(around))
        orbit = found.move(codes[:1].double().expand(200, -1), around.double())
    orbits[name] = codes, orbit

# %% Draw the codes of the whole circle, and the orbit that the generator makes of one of them
import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

figure, grid = plt.subplots(1, 2, figsize=(7, 3.5))
for axes, (name, (codes, orbit)) in zip(grid, orbits.items(), strict=True):
    axes.scatter(*codes.T, c=around, cmap="twilight", s=12)
    axes.plot(*orbit.T, color="#d1495b", lw=1)
    axes.set(title=name, aspect="equal")
figure.tight_layout()
output = sys.argv[1] if len(sys.argv) > 1 else f"{tempfile.mkdtemp()}/symmetry.png"
figure.savefig(output, dpi=120)
print("wrote", output)
