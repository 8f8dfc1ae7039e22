"""Graphs that need be no molecules: their labels, and a canonical order of their nodes."""
