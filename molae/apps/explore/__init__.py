"""Codes looked at: which molecules are near which, and a map of all of them."""
