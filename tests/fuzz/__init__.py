"""Test random answers and parameters from a seed. `make fuzz` tries 100,000 of them, and `make test` a fixed 2,000."""
