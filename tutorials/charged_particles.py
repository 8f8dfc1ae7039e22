"""Tell where charged particles will be, by networks that turn with them and by one that does not.

Run it from the top of the repository: python tutorials/charged_particles.py [IMAGE]
It takes less than a minute, on a fifth of the data; tests/benchmarks/nbody.py is the whole experiment.
"""

# %% Simulate systems of five charges: what is seen is their state after 3,100 steps
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import torch

sys.path.insert(0, "tests/benchmarks")
import nbody

seed = torch.Generator().manual_seed(0)
train, test = nbody.simulate(600, seed), nbody.simulate(300, seed)
print("charges of the first:", train.charge[0].tolist())

# %% Train four models alike
settings = Namespace(learning_rate=2e-3, steps=300, batch_size=50)
models = {}
for name in ("linear", "plain", "distances", "velocities"):
    torch.manual_seed(0)
    models[name] = nbody.fit(nbody.MODELS[name](32, 3), train, settings)
    error, gap = nbody.errors(models[name], test).mean(), nbody.gap(models[name], test)
    print(f"{name:>10}: squared error {error:.4f}, gap from equivariance {gap:.1e}")

# %% Draw what they tell of one system: where it was (dots), where it went (rings), what was told (crosses)
import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# One thread: several would wait for one another, with networks as small as these.
torch.set_num_threads(1)

row = nbody.errors(models["linear"], test).argsort()[-30:-29]
figure, grid = plt.subplots(1, len(models), figsize=(3 * len(models), 3), sharex=True, sharey=True)
for axes, (name, model) in zip(grid, models.items(), strict=True):
    with torch.no_grad():
        told = model(*(part[row] for part in test[:3]))[0]
    colours = ["#d1495b" if charge > 0 else "#3b6fb6" for charge in test.charge[row][0]]
    for start, end, colour in zip(test.pos[row][0], test.later[row][0], colours, strict=True):
        axes.plot(*torch.stack([start, end])[:, :2].T, color=colour, lw=0.8)
    axes.scatter(*test.pos[row][0, :, :2].T, c=colours, s=10)
    axes.scatter(*test.later[row][0, :, :2].T, edgecolors=colours, facecolors="none", s=60)
    axes.scatter(*told[:, :2].T, c=colours, marker="x", s=40)
    axes.set_title(name)
    axes.set_aspect("equal")
figure.tight_layout()
output = Path(sys.argv[1] if len(sys.argv) > 1 else f"{tempfile.mkdtemp()}/particles.png")
figure.savefig(output, dpi=120)
print("wrote", output)
