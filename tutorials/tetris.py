"""Eight shapes of four points on a plane: a code of two numbers, of points that are all alike.

Run it from the top of the repository: python tutorials/tetris.py [IMAGE]
It takes less than a minute, with a smaller network and fewer steps than tests/benchmarks/tetris.py, and needs
torch 2.9 or newer.
"""

# %% Shapes with noise of 0.01 Å, each in a random pose and in random order: nothing but the points tells them
import sys
import tempfile
from argparse import Namespace

import numpy as np
import torch

sys.path.insert(0, "tests/benchmarks")
import tetris

random = np.random.default_rng(0)
names = list(tetris.TETRIS)
pool = tetris.order(tetris.points(np.arange(800) % len(names), 0.01, random))
kind = np.repeat(np.arange(len(names)), 20)
pos = tetris.points(kind, 0.01, random)
test = tetris.order(tetris.present(pos, random))

# %% Train molae's autoencoder with a code of two numbers; it is not told which shape is which
torch.manual_seed(0)
settings = Namespace(head_width=48, head_depth=3, steps=500, batch_size=32, learning_rate=1e-2, verbose=False)
model = tetris.fit(pool, tetris.build("invariant", 2, settings), settings)
error = tetris.errors(model, test)
print(f"mean squared error of a coordinate: {error.mean():.1e} Å², noise alone {0.01**2:.1e} Å²")
for number, name in enumerate(names):
    print(f"{name:>14}: {error[kind == number].mean():.1e}")

# %% The code does not change when the points are moved and renumbered; that of a mirror image has
# the opposite second number
print("largest change of a code:", f"{tetris.invariance(model, pos, random)['code_change']:.1e}")

# %% Draw the plane of codes, and for one of each shape its points (rings) and those decoded from its code. A
# symmetric shape has a code for each of the canonical orders among which its noise decides
import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# One thread: several would wait for one another, with networks as small as these.
torch.set_num_threads(1)

with torch.no_grad():
    code, told = tetris.reconstruct(model, test.to("cpu", torch.float32))
figure = plt.figure(figsize=(11, 4.5))
plane = figure.add_subplot(1, 2, 1)
for number, name in enumerate(names):
    colour = f"C{number}"
    plane.scatter(*code[kind == number].T, s=12, color=colour, label=name)
    axes = figure.add_subplot(2, 8, 5 + number % 4 + 8 * (number // 4), projection="3d")
    row = int(np.flatnonzero(kind == number)[0])
    axes.scatter(*test.pos[row].T, s=90, edgecolors="#808080", facecolors="none", depthshade=False)
    axes.scatter(*told[row].T, s=15, color=colour, depthshade=False)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_title(name, fontsize=8)
plane.set(xlabel="first number of the code", ylabel="second number")
plane.legend(fontsize=7)
figure.tight_layout()
output = sys.argv[1] if len(sys.argv) > 1 else f"{tempfile.mkdtemp()}/tetris.png"
figure.savefig(output, dpi=120)
print("wrote", output)
