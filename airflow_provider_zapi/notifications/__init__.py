"""What tells people about a DAG's runs."""
