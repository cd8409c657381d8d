"""A local stand-in for Z-API, with its documented answers, WhatsApp's rules, faults on request, and a web page.

It does not import Airflow or the rest of the provider.
"""

try:
    from airflow_provider_zapi.emulator.server import RunningEmulator, demo_emulator, running_emulator
except ModuleNotFoundError as error:
    if error.name not in ("starlette", "uvicorn"):
        raise
    raise ModuleNotFoundError(
        f"the emulator needs {error.name}: pip install 'airflow-provider-zapi[emulator]'", name=error.name
    ) from None
from airflow_provider_zapi.emulator.checks import InvalidInputError
from airflow_provider_zapi.emulator.fleet import fleet_emulator
from airflow_provider_zapi.emulator.state import Emulator, Instance

__all__ = [
    "Emulator",
    "Instance",
    "InvalidInputError",
    "RunningEmulator",
    "demo_emulator",
    "fleet_emulator",
    "running_emulator",
]
