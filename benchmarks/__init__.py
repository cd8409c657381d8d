"""Measurements, each in one run on one core. Figures are for comparing within a run."""
