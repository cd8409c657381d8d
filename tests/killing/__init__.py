"""Ends the probe's level 2 at random moments, and looks whether everything is put back: ``python -m tests.killing``."""
