"""Tests with an Airflow of several processes, as in production: `make celery-test`."""
