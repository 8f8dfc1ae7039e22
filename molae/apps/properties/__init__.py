"""Properties predicted from codes: fitting, splits, uncertainty, and an honest report."""
