"""The command line: ``airflow zapi ...`` on Airflow 3.2 and newer, ``python -m airflow_provider_zapi ...`` on all."""
