"""Puts the stand-in model on the path, from where processes that the tests start import it too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
