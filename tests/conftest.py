"""Settings shared by all tests."""

from __future__ import annotations

from hypothesis import settings

# The same examples in every run, and no time limit for one: the tests share their machine with others.
settings.register_profile("molae", derandomize=True, deadline=None, max_examples=30)
settings.load_profile("molae")
