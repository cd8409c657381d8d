"""Make one error of all that went wrong while a policy was applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_provider_zapi.exceptions import ZApiError, ZApiTransientError

__all__ = ["combined"]


def combined(failures: Mapping[str, ZApiError], done: Sequence[str], order: Sequence[str]) -> ZApiError:
    """Return one error that names every setting that failed, and every one that is done or was not tried.

    It is transient if one of the errors is: another run then finishes what it can, and the permanent ones remain.

    :param failures: what went wrong, by the settings' names
    :param done: the settings that are as wanted
    :param order: all settings of the policy, in the order in which they were sent
    """
    names = [name for name in order if name in failures]
    leading = next(
        (failures[name] for name in names if isinstance(failures[name], ZApiTransientError)), failures[names[0]]
    )
    not_tried = [name for name in order if name not in failures and name not in done]
    summary = f"Failed: {', '.join(names)}. Done: {', '.join(name for name in order if name in done) or 'nothing'}."
    if not_tried:
        summary += f" Not tried: {', '.join(not_tried)}."
    summary += " Another run sends everything again, which is safe"
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
