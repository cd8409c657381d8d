"""An Airflow as in production, of several processes: `make celery-test`."""
