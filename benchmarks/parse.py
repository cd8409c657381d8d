"""Measure the parse of a DAG file with our operators and with bare ones: ``python -m benchmarks.parse``.

The baseline is a module with the same number of operators, which have the same parameters, defaults and template
fields. Each is a bare subclass of Airflow's ``BaseOperator``. A file is parsed as in Airflow's dag processor: in a fork
of a process that has already imported the file's ``airflow.*`` modules. The child imports the rest, creates the tasks
and serializes the DAG.
"""

from __future__ import annotations

import compileall
import importlib
import inspect
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import airflow_provider_zapi
from benchmarks.harness import OURS, Figures, Goal, Row, forked, medians, own_airflow, report

FLOOR = "the floor"
IMPORT = "a process that imports all operators"
PACKAGE = "modules that importing the package loads"
CLIENT = "importing the client, once in a task process"
OPERATORS = "importing the operators of the settings"
PLUGIN = "importing the plugin of the page, in each task process"
PACKAGE_FOLDER = Path(airflow_provider_zapi.__file__).parent
#: The number of tasks in a DAG file, and the number of rounds.
FILES = {1: 61, 100: 41, 1000: 15}
MODULES = ("instance", "policy", "privacy")
ROWS = (
    Row(IMPORT, "ms", FLOOR, Goal(1.1)),
    *(Row(f"parse of a DAG file with {count:,} of them", "ms", FLOOR, Goal(1.05)) for count in FILES),
    Row(PACKAGE, "", "", Goal(1)),
    Row(CLIENT, "ms", "", Goal(10)),
    Row(OPERATORS, "ms", "", Goal(5)),
    Row(PLUGIN, "ms", "", Goal(5)),
)
#: For each import: the modules that any process has already imported, and the module to import.
ALREADY = "from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, BaseOperatorLink\n"
IMPORTS = {
    CLIENT: (f"{ALREADY}import requests, tenacity, urllib3", "airflow_provider_zapi.client"),
    OPERATORS: (ALREADY, "airflow_provider_zapi.operators.privacy"),
    # A task's process loads plugins before most of the modules that a DAG file imports.
    PLUGIN: (
        "import airflow.sdk.execution_time.task_runner, airflow.sdk.plugins_manager",
        "airflow_provider_zapi.plugin",
    ),
}


def measure() -> Figures:
    """Return processor times in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        own_airflow(folder)
        sys.path.insert(0, folder)
        # Run this in another process, because the children that measure our operators would inherit its imports.
        printed = subprocess.check_output([sys.executable, "-c", "from benchmarks.parse import floor; print(floor())"])
        Path(folder, "floor.py").write_bytes(printed)
        # Installed packages are compiled, so allow bytecode even if this process does not write it.
        for path in (folder, str(PACKAGE_FOLDER)):
            compileall.compile_dir(path, quiet=1)
        figures = medians(
            IMPORT, {OURS: importing(*(f"airflow_provider_zapi.operators.{name}" for name in MODULES)),
                     FLOOR: importing("floor", path=folder)}, 7
        )  # fmt: skip
        for count, rounds in FILES.items():
            subjects = {
                OURS: parsing(Path(folder, f"ours_{count}.py"), "airflow_provider_zapi.operators.privacy", count),
                FLOOR: parsing(Path(folder, f"floor_{count}.py"), "floor", count),
            }
            figures |= medians(f"parse of a DAG file with {count:,} of them", subjects, rounds)
        for row, (before, module) in IMPORTS.items():
            figures |= medians(row, {OURS: importing_only(before, module)}, 9)
    figures[PACKAGE, OURS] = len(loaded_by("import airflow_provider_zapi"))
    return figures


def floor() -> str:
    """Return the source of a module with as many bare operators as ours."""
    lines = ["from airflow.providers.common.compat.sdk import BaseOperator"]
    for name in MODULES:
        module = importlib.import_module(f"airflow_provider_zapi.operators.{name}")
        exported: list[Any] = [getattr(module, each) for each in module.__all__]
        for kind in exported:
            if hasattr(kind, "template_fields"):
                # Use the same defaults, because Airflow serializes the fields that have a value.
                parameters = {
                    name: None if each.default is each.empty else each.default
                    for name, each in inspect.signature(kind).parameters.items()
                    if name != "kwargs"
                }
                taken = ", ".join(f"{name}={default!r}" for name, default in parameters.items())
                lines += [
                    f"class {kind.__name__}(BaseOperator):",
                    f"    template_fields = {tuple(kind.template_fields)!r}",
                    f"    template_ext = {tuple(kind.template_ext)!r}",
                    f"    template_fields_renderers = {dict(kind.template_fields_renderers)!r}",
                    f"    def __init__(self, *, {taken}, **kwargs):",
                    "        super().__init__(**kwargs)",
                    *(f"        self.{each} = {each}" for each in parameters),
                    "    def execute(self, context):",
                    "        return None",
                ]
    return "\n".join(lines)


def importing(*modules: str, path: str = "") -> Callable[[], float]:
    """Return a function that starts a process that imports Airflow's BaseOperator, then these modules."""
    code = "from airflow.providers.common.compat.sdk import BaseOperator\n" + "".join(
        f"import {name}\n" for name in modules
    )
    command = [sys.executable, "-W", "ignore", "-c", code]

    def work() -> float:
        child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path} if path else None)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError("the import failed")
        return (usage.ru_utime + usage.ru_stime) * 1000

    return work


def importing_only(before: str, module: str) -> Callable[[], float]:
    """Return a function that measures the processor time of one import in a new process, in milliseconds."""
    code = f"{before}\nimport time\nbegan = time.process_time()\nimport {module}\nprint(time.process_time() - began)"

    def work() -> float:
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
        return float(done.stdout.split()[-1]) * 1000

    return work


def parsing(file: Path, module: str, count: int) -> Callable[[], float]:
    """Write a DAG file, and return a function that parses it in a child, as Airflow's dag processor does."""
    file.write_text(
        "from datetime import datetime\n"
        "from airflow.providers.common.compat.sdk import DAG\n"
        f"from {module} import SetLastSeenPrivacyOperator\n"
        f"with DAG({file.stem!r}, schedule=None, start_date=datetime(2026, 1, 1)):\n"
        f"    for number in range({count}):\n"
        "        SetLastSeenPrivacyOperator(task_id=f'task_{number}', visualization_type='NONE')\n"
    )
    import structlog
    from airflow.dag_processing.processor import DagFileParseRequest, _parse_file

    request = DagFileParseRequest(file=str(file), bundle_path=file.parent, bundle_name="bench", callback_requests=[])

    def parse() -> None:
        result = _parse_file(request, structlog.get_logger())
        if result is None or result.import_errors or len(result.serialized_dags) != 1:
            raise RuntimeError(f"not parsed: {result}")

    return lambda: forked(parse) * 1000


def loaded_by(code: str) -> list[str]:
    """Return the modules that a piece of code loads in a new process."""
    program = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


if __name__ == "__main__":
    import benchmarks.parse

    report(benchmarks.parse)
