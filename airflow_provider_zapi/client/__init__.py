"""The HTTP client for one instance or one account of Z-API. It does not depend on DAGs, tasks or connections."""

from airflow_provider_zapi.client.account import AccountInstance, ZApiAccountClient
from airflow_provider_zapi.client.api import AccountState, InstanceStatus, ResolvedContact, ZApiClient
from airflow_provider_zapi.client.targets import AccountCredentials, Credentials
from airflow_provider_zapi.client.transport import Transport

__all__ = [
    "AccountCredentials",
    "AccountInstance",
    "AccountState",
    "Credentials",
    "InstanceStatus",
    "ResolvedContact",
    "Transport",
    "ZApiAccountClient",
    "ZApiClient",
]
