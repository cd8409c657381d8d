"""The emulator and the connections of the tests in real DAG runs."""

from tests.airflow.conftest import emulator_server as emulator_server
from tests.airflow.conftest import zapi as zapi
