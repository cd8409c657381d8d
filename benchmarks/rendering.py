"""Measure the rendering of a field with 10,000 changes, ours and Airflow's: ``python -m benchmarks.rendering``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime
from typing import Any

from benchmarks.harness import OURS, Figures, Goal, Row, cpu, medians, own_airflow, report

CHANGES = 10_000
ROUNDS = 3
AIRFLOW = "Airflow's own"
#: For each measurement: whether fields are rendered to Python objects, and how many of 100 changes have Jinja.
MEASURED = {
    "10,000 changes without Jinja, as text": (False, 0),
    "10,000 changes without Jinja, native": (True, 0),
    "10,000 changes, one of a hundred with Jinja, as text": (False, 1),
    "10,000 changes, one of a hundred with Jinja, native": (True, 1),
}
ROWS = tuple(
    Row(measured, "ms", AIRFLOW, None if with_jinja else Goal(1 / 50)) for measured, (_, with_jinja) in MEASURED.items()
)


def measure() -> Figures:
    """Return the processor time of one rendering, in milliseconds."""
    with tempfile.TemporaryDirectory() as home:
        own_airflow(home)
        figures: Figures = {}
        for measured, (native, with_jinja) in MEASURED.items():
            figures |= medians(measured, subjects(native, with_jinja), ROUNDS)
    return figures


def subjects(native: bool, with_jinja: int) -> dict[str, Callable[[], float]]:
    """Return functions that render the changes: in our operator, and in the same operator with Airflow's rendering."""
    from airflow.providers.common.compat.sdk import DAG, BaseOperator

    from airflow_provider_zapi.operators.privacy import SetLastSeenPrivacyOperator

    class Floor(SetLastSeenPrivacyOperator):
        render_template = BaseOperator.render_template

    def rendering(kind: Any) -> Callable[[], float]:
        changes = [
            {"action": "add", "phone": f"{{{{ area }}}}9{70000000 + number}" if number % 100 < with_jinja else phone}
            for number in range(CHANGES)
            for phone in [f"55449{70000000 + number}"]
        ]

        def work() -> float:
            with DAG("rendering", start_date=datetime(2026, 1, 1), render_template_as_native_obj=native):
                task = kind(task_id="task", visualization_type="CONTACT_BLACKLIST", contacts_blacklist=changes)
            spent = cpu(lambda: task.render_template_fields({"area": "5544"}))
            # Airflow's native rendering turns phones into integers.
            if [str(change["phone"]) for change in task.contacts_blacklist] != [
                f"55449{70000000 + number}" for number in range(CHANGES)
            ]:
                raise RuntimeError("rendered to something else")
            return spent * 1000

        return work

    return {OURS: rendering(SetLastSeenPrivacyOperator), AIRFLOW: rendering(Floor)}


if __name__ == "__main__":
    import benchmarks.rendering

    report(benchmarks.rendering)
