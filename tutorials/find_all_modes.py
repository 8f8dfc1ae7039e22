"""Train a GAN that leaves no mode out, and has codes: IVE-GAN beside a plain one.

Run it from the top of the repository: python tutorials/find_all_modes.py [IMAGE]
It takes less than a minute, with smaller networks and fewer steps than tests/benchmarks/mixtures.py.
"""

# %% Eight narrow Gaussians on a ring, and a transformation of samples that stays within one of them
import sys
import tempfile
from argparse import Namespace

import torch

sys.path.insert(0, "tests/benchmarks")
import mixtures

mixture = mixtures.ring()
x = mixture.draw(1000)
print(f"a sample and what it is taken to: {x[0].tolist()}, {mixture.neighbour(x)[0].tolist()}")

# %% Train both alike. To build one for data of your own, see molae.adversarial.InvariantEncodingGAN
settings = Namespace(width=64, penalty=0.005, steps=1500, batch_size=128, learning_rate=2e-3)
models = {}
for name in ("plain", "IVE-GAN"):
    torch.manual_seed(0)
    models[name] = mixtures.fit(mixtures.build(name, mixture, settings), mixture.draw, settings)
    figures = mixtures.measure(models[name], mixture)
    print(f"{name:>8}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))

# %% The inverse mapping: samples of one mode share their codes
code = models["IVE-GAN"].encode(x)
for mode, centre in enumerate(mixture.centres):
    own = code[torch.cdist(x, mixture.centres).argmin(1) == mode]
    shared, count = own.unique(dim=0, return_counts=True)
    signs = "".join("+" if sign > 0 else "-" for sign in shared[count.argmax()])
    print(
        f"mode at {centre[0]:5.2f}, {centre[1]:5.2f}: {signs} for {count.max() / len(own):.0%} of its samples"
    )

# %% Draw
import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

figure, grid = plt.subplots(1, 3, figsize=(9, 3), sharex=True, sharey=True)
with torch.no_grad():
    drawn = {"data": x, **{name: model.sample(1000) for name, model in models.items()}}
for axes, (name, points) in zip(grid, drawn.items(), strict=True):
    axes.scatter(*points.T, s=3, color="#3b6fb6", alpha=0.5)
    axes.set(title=name, aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
figure.tight_layout()
output = sys.argv[1] if len(sys.argv) > 1 else f"{tempfile.mkdtemp()}/modes.png"
figure.savefig(output, dpi=120)
print("wrote", output)
