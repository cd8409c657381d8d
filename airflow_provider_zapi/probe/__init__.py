"""Find out how Z-API behaves where it is not documented: send calls, describe the answers, and restore what changed."""
