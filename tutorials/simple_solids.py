"""Codes of point clouds that do not change when a cloud is moved or its points are renumbered.

Run it from the top of the repository: python tutorials/simple_solids.py [IMAGE]
It takes less than a minute, with fewer clouds and steps than tests/benchmarks/solids.py.
"""

# %% Clouds of 48 noisy points of boxes, ellipsoids, cylinders, cones, tori and tetrahedra
import sys
import tempfile
from argparse import Namespace

import torch

sys.path.insert(0, "tests/benchmarks")
import solids

torch.manual_seed(0)
train, test = solids.draw(100, 0.03), solids.draw(50, 0.03)

# %% Train the invariant autoencoder and a classical one alike, without telling what is what
settings = Namespace(learning_rate=3e-3, steps=200, batch_size=32)
models = {}
for name in ("invariant", "classical"):
    torch.manual_seed(0)
    models[name] = solids.MODELS[name](48, 16)
    solids.fit(models[name], train[0], settings)
    figures = solids.measure(models[name], train, test)
    print(f"{name:>9}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))

# %% The code of a cloud, and of the same moved and renumbered; and the group element that was divided out
some = test[0][::60]
moved = solids.present(some)
change = (models["invariant"].code(some) - models["invariant"].code(moved)).abs().max().item()
decoded, element = models["invariant"].reconstruct(some)
print(f"largest change of a code: {change:.1e}")
print("rotation of the first cloud:", element.first.rotation[0].tolist())
print("first point of the cloud is decoded point", int(element.second[0, 0]))

# %% Draw clouds (grey) and what was decoded from their codes (colour)
import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# One thread: several would wait for one another, with networks as small as these.
torch.set_num_threads(1)

figure = plt.figure(figsize=(2.4 * len(some), 5))
for row, (name, model) in enumerate(models.items()):
    with torch.no_grad():
        told = model(some)
    for column, (cloud, points) in enumerate(zip(some, told, strict=True)):
        axes = figure.add_subplot(2, len(some), row * len(some) + column + 1, projection="3d")
        axes.scatter(*cloud.T, s=12, color="#b0b0b0")
        axes.scatter(*points.T, s=12, color="#3b6fb6")
        axes.set_axis_off()
        if column == 0:
            axes.set_title(name)
figure.tight_layout()
output = sys.argv[1] if len(sys.argv) > 1 else f"{tempfile.mkdtemp()}/solids.png"
figure.savefig(output, dpi=120)
print("wrote", output)
