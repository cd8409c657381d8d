"""The hook that turns an Airflow connection into a client of its Z-API instance."""
