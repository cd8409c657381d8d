"""Measurements of speed and memory. Tests do not check them. Compare figures only within one run."""
