"""The fields of the connection form for Airflow 2.11 to 3.1. Newer versions read them from the provider's metadata."""

from __future__ import annotations

from typing import Any

from airflow_provider_zapi.connection.form import AIRFLOW_2_PLACEHOLDER, FIELDS

__all__ = ["connection_form_widgets"]


def connection_form_widgets() -> dict[str, Any]:
    """Return the form fields that Airflow stores in Extra, as Flask-AppBuilder widgets."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import PasswordField, StringField
    from wtforms.validators import Optional

    def secret_widget(field: Any, **attributes: Any) -> Any:
        # Airflow 2.11 deletes a stored extra if its field comes back empty. The placeholder makes Airflow keep it.
        stored = field.data and not field.raw_data
        value = AIRFLOW_2_PLACEHOLDER if stored else ""
        return BS3PasswordFieldWidget(hide_value=False)(field, **attributes, value=value)

    return {
        field.name: (PasswordField if field.secret else StringField)(
            field.label,
            description=field.help,
            validators=[Optional()],
            widget=secret_widget if field.secret else BS3TextFieldWidget(),
        )
        for field in FIELDS
        if field.custom
    }
