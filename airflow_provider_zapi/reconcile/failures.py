"""Combine the errors of one policy run into one error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_provider_zapi.exceptions import ZApiError, ZApiTransientError

__all__ = ["combined"]


def combined(failures: Mapping[str, ZApiError], done: Sequence[str], order: Sequence[str]) -> ZApiError:
    """Return one error that names the settings that failed, that are done, and that were not tried.

    The error is transient if any of the errors is. A retry then completes what it can, and the permanent errors remain.

    :param failures: the errors, by the name of the setting
    :param done: the names of the settings that are as wanted
    :param order: the names of all settings of the policy, in the order in which they were sent
    """
    names = [name for name in order if name in failures]
    leading = next(
        (failures[name] for name in names if isinstance(failures[name], ZApiTransientError)), failures[names[0]]
    )
    not_tried = [name for name in order if name not in failures and name not in done]
    summary = f"Failed: {', '.join(names)}. Done: {', '.join(name for name in order if name in done) or 'nothing'}."
    if not_tried:
        summary += f" Not tried: {', '.join(not_tried)}."
    summary += " A retry sends everything again, which is safe"
    if len(names) == 1:
        return leading.after(summary)
    waits = [error.retry_after for error in failures.values() if error.retry_after is not None]
    return type(leading)(
        f"{len(names)} settings failed: "
        + "; ".join(f"{name}: {failures[name].what} [{failures[name].code}]" for name in names),
        f"{summary}. " + " ".join(dict.fromkeys(failures[name].advice for name in names)),
        conn_id=leading.conn_id,
        retry_after=max(waits, default=None),
        code=leading.code,
    )
