"""What is measured and not tested; not part of the distribution."""
