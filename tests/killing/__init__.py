"""Kill the probe's level 2 at random moments, and check that everything is restored: ``python -m tests.killing``."""
