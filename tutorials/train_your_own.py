"""Train a small model on molecules of your own, and use it.

Run it from the top of the repository: python tutorials/train_your_own.py
It takes about a minute; the model is a toy that shows the way.
"""

# %% A file of molecules and a configuration
import subprocess
import tempfile
from pathlib import Path

import molae

folder = Path(tempfile.mkdtemp())
chains = ["C" * n + end for n in range(1, 7) for end in ("O", "N", "F", "C#N", "C=O", "C(=O)O")]
(folder / "mine.smi").write_text("\n".join(chains))
(folder / "mine.toml").write_text("""
[model]
code_size = 32
encoder = {name = "slots", head_width = 64, head_depth = 1}
decoder = {name = "slots", head_width = 64, head_depth = 1}

[training]
steps = 300
batch_size = 32
learning_rate = 3e-3
warmup_steps = 20
validate_every = 100
validation_size = 8
""")

# %% Train. `molae train --help` names the options; `--resume` goes on after an interruption
command = ["molae", "train", "--config", "mine.toml", "--data", "mine.smi", "--output", "run"]
subprocess.run(command, cwd=folder, check=True)

# %% The trained model is a folder that every command and function takes in place of a name
results = molae.reconstruct(["CCCO", "CCCCN"], model=folder / "run" / "best")
print([result.smiles for result in results])
