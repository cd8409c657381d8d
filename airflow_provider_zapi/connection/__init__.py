"""The Airflow connection of type Z-API: its form and its values."""
