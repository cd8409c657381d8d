"""Tasks that change a number's privacy."""
