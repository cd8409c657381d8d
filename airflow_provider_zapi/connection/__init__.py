"""The Airflow connection of type Z-API: its form, and what is read from it."""
