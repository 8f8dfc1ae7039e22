"""Codes of images that do not change when the image is turned, and codes of sets that do not depend on order.

Run it from the top of the repository: python tutorials/rotated_digits.py [IMAGE]
It takes less than a minute, with fewer steps than rotated_digits.py and digit_sets.py in tests/benchmarks.
"""

# %% Handwritten digits of scikit-learn; a third of them is for testing alone, all are turned at random
import sys
import tempfile
from argparse import Namespace

import torch

sys.path.insert(0, "tests/benchmarks")
import digit_sets
import rotated_digits

images, classes, unseen = rotated_digits.digits(seed=0)
print(f"{(~unseen).sum()} digits to train on, {unseen.sum()} to test")

# %% Train the invariant autoencoder and a classical one alike; neither is told the classes or the angles
settings = Namespace(seed=0, copies=16, steps=250, batch_size=64, learning_rate=3e-3)
models = {}
for name in ("invariant", "classical"):
    torch.manual_seed(0)
    models[name] = rotated_digits.MODELS[name](code_size=16, width=96, noise=0.2, size=images.shape[1])
    rotated_digits.fit(models[name], images[~unseen], settings)
    figures = rotated_digits.measure(models[name], images, classes, unseen, seed=0)
    print(f"{name:>9}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))

# %% One digit in two poses: by quarter turns, which are exact on pixels, the code does not change
quarter = torch.stack([images[unseen][0], images[unseen][0].rot90(1, (0, 1))])
for name, model in models.items():
    with torch.no_grad():
        first, second = model.code(quarter)
    print(f"{name:>9}: the code changes by {(first - second).norm() / first.norm():.1e} of its length")

# %% Sets: a code of 16 numbers for sets of up to 20 digits, from which larger ones come back as well
torch.manual_seed(0)
sets, settings = digit_sets.SumOfEmbeddings(code_size=16), Namespace(steps=1000, learning_rate=1e-2)
digit_sets.fit(sets, lambda: digit_sets.trained_sets(128), settings)
for size in (20, 50, 100):
    figures = digit_sets.invariant_figures(sets, digit_sets.uniform_sets(2000, size))
    print(f"sets of {size}: {figures['exact']:.1%} come back whole, {figures['ordered']:.1%} also in order")

# %% Draw four digits in two poses each, what was decoded in its canonical pose, and that turned back
import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# One thread: several would wait for one another, with networks as small as these.
torch.set_num_threads(1)
torch.set_flush_denormal(True)

chosen = torch.stack([images[unseen & (classes == digit)][0] for digit in (2, 3, 4, 7)])
some = rotated_digits.present(chosen.repeat_interleave(2, 0), torch.Generator().manual_seed(0))
with torch.no_grad():
    rows = {
        "digits": some,
        "canonical": models["invariant"].canonical(models["invariant"].code(some)),
        "turned back": models["invariant"](some),
        "classical": models["classical"](some),
    }
figure, grid = plt.subplots(len(rows), len(some), figsize=(len(some), 1.1 * len(rows)))
for line, (name, pictures) in zip(grid, rows.items(), strict=True):
    for axes, picture in zip(line, pictures, strict=True):
        axes.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=(), yticks=())
    line[0].set_ylabel(name)
figure.tight_layout()
output = sys.argv[1] if len(sys.argv) > 1 else f"{tempfile.mkdtemp()}/digits.png"
figure.savefig(output, dpi=120)
print("wrote", output)
