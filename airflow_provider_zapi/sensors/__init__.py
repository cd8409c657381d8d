"""Tasks that wait for a state of a Z-API instance."""
