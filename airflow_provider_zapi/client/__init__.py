"""Speaks HTTP to one Z-API instance. Knows nothing of DAGs, tasks or connections."""

from airflow_provider_zapi.client.api import AccountState, InstanceStatus, ResolvedContact, ZApiClient
from airflow_provider_zapi.client.targets import Credentials
from airflow_provider_zapi.client.transport import Transport

__all__ = ["AccountState", "Credentials", "InstanceStatus", "ResolvedContact", "Transport", "ZApiClient"]
