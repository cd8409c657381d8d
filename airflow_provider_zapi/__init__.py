"""Apache Airflow provider for Z-API: WhatsApp privacy settings from DAGs.

Airflow imports this package in each of its processes, so it imports nothing itself.
"""

__version__ = "0.1.0"
