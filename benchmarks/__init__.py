"""What is measured and not tested, each in one run; figures are for comparing within a run."""
