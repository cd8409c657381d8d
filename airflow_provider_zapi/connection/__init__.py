"""What an Airflow connection of type Z-API says beside its credentials."""
