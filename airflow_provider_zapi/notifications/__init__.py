"""The notifier that informs people about tasks and DAG runs."""
