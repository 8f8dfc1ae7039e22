"""What users do with a model: embed, reconstruct, interpolate, evaluate, pack."""
