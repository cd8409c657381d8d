"""Generate the emulator's OpenAPI document from the tables of Z-API's calls and of the JSON interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_zapi import __version__
from airflow_provider_zapi.emulator.checks import InvalidInputError
from airflow_provider_zapi.emulator.contract import BATCH_LIMIT, CALLS, SETTING_BY_PATH, SETTING_BY_SCOPE, Call
from airflow_provider_zapi.emulator.partner import MIDDLEWARE

if TYPE_CHECKING:
    from airflow_provider_zapi.emulator.control import ControlRoute

__all__ = ["Parameter", "document"]

_MAX_COUNT = 999_999


@dataclass(frozen=True)
class Parameter:
    """A query parameter of the JSON interface.

    :param kind: ``string``, ``integer`` (a count) or ``boolean``
    """

    name: str
    kind: str
    doc: str
    minimum: int = 0
    maximum: int = _MAX_COUNT

    @property
    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        if self.kind == "integer":
            return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        return {"type": self.kind}

    def read(self, text: str) -> Any:
        """Return the value of a string.

        :raises InvalidInputError: the string is not an accepted value
        """
        if self.kind == "string":
            return text
        if self.kind == "boolean":
            if text in ("true", "false"):
                return text == "true"
            raise InvalidInputError(f"{self.name} must be true or false")
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else -1
        if not self.minimum <= number <= self.maximum:
            raise InvalidInputError(f"{self.name} must be a whole number from {self.minimum} to {self.maximum}")
        return number


def _object(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


_STRING = {"type": "string"}
_FLAG = {"type": "boolean"}
_PHONE = {"type": "string", "pattern": "^[0-9]{8,15}$"}
_IDENTIFIER = {"type": "string", "pattern": "^[0-9]{1,20}@lid$|^[0-9]{8,15}$"}
#: A contact or a group.
_RECIPIENT = {"type": "string", "pattern": "^[0-9]{1,20}@lid$|^[0-9]{8,15}$|^[0-9]{8,20}(-group|@g[.]us)$"}
_NUMBER = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
_ERROR = _object({"error": _STRING})
_SUCCESS = _object({"success": _FLAG})
_CHANGE = _object({"action": {"enum": ["add", "remove"]}, "phone": _IDENTIFIER})

#: The body and the answer with status 200, by handler. The rows of the settings have the differences between them.
_SHAPES: Mapping[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {
    "write_setting": (None, _SUCCESS),
    "read_list": (None, _object({"disallowedContacts": {"type": "array", "items": _IDENTIFIER}})),
    "status": (None, _object({"connected": _FLAG, "smartphoneConnected": _FLAG, "error": _STRING})),
    "device": (None, _object({"phone": _PHONE, "name": _STRING, "device": {"type": "object"}, "isBusiness": _FLAG})),
    "me": (None, _object({"id": _STRING, "token": _STRING, "name": _STRING, "due": {"type": "integer"}})),
    "phone_exists_batch": (
        _object({"phones": {"type": "array", "items": _PHONE, "maxItems": BATCH_LIMIT}}),
        {
            "type": "array",
            "items": _object({"exists": _FLAG, "inputPhone": _STRING, "outputPhone": _STRING, "lid": {}}),
        },
    ),
    "phone_exists": (None, {"type": ["array", "object"]}),
    "profile_name": (_object({"value": {"type": "string", "minLength": 1}}), _object({"value": _FLAG})),
    "send_text": (
        _object({"phone": _RECIPIENT, "message": {"type": "string", "minLength": 1}}, delayMessage={"type": "number"}),
        _object({"zaapId": _STRING, "messageId": _STRING, "id": _STRING}),
    ),
}


def _content(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _response(description: str, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"description": description, **({} if schema is None else {"content": _content(schema)})}


def _in_path(name: str, schema: Mapping[str, Any] = _STRING) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(name: str, schema: Mapping[str, Any], *, required: bool = False, doc: str = "") -> dict[str, Any]:
    described = {"description": doc} if doc else {}
    return {"name": name, "in": "query", "required": required, "schema": schema, **described}


def _call_operation(call: Call) -> dict[str, Any]:
    body, answer = _SHAPES[call.handler]
    parameters = [_in_path("id"), _in_path("token")]
    if call.takes_segment:
        parameters.append(_in_path("phone", _PHONE))
    setting = SETTING_BY_PATH.get(call.path)
    if setting is not None:
        value = {"enum": list(setting.values)}
        if setting.place == "query":
            parameters.append(_in_query(setting.parameter, value, required=True))
        elif setting.scope is None:
            body = _object({setting.parameter: value})
        else:
            body = _object({setting.parameter: value}, contactsBlacklist={"type": "array", "items": _CHANGE})
    if call.handler == "read_list":
        parameters.append(_in_query("type", {"enum": list(SETTING_BY_SCOPE)}, required=True))
    operation: dict[str, Any] = {
        "operationId": f"{call.method.lower()} {call.path}",
        "summary": call.summary,
        "tags": ["Z-API"],
        "parameters": parameters,
        "responses": {
            # Z-API also refuses calls with status 200.
            "200": _response("Done, or refused with an `error`", {"anyOf": [answer, _ERROR]}),
            "400": _response("Refused", _ERROR),
            "403": _response("The Client-Token or the caller's address is refused", _ERROR),
            "405": _response("Wrong method", _ERROR),
            "413": _response("The body is too long", _ERROR),
            "415": _response("Content-Type is not application/json", _ERROR),
            "default": {"description": "A fault on request"},
        },
        "security": [{"Client-Token": []}, {}],
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body)}
    return operation


def _account_operation() -> dict[str, Any]:
    row = _object(dict.fromkeys(("id", "token", "name", "tenant", "created", "paymentStatus", "middleware"), _STRING))
    page = _object(
        {name: {"type": "integer"} for name in ("total", "totalPage", "pageSize", "page")},
        content={"type": "array", "items": row},
    )
    return {
        "operationId": "get instances",
        "summary": "List the instances of an account.",
        "tags": ["Z-API"],
        "parameters": [
            _in_query("page", _NUMBER),
            _in_query("pageSize", _NUMBER),
            _in_query("query", _STRING, doc="Only those with this text in name or id"),
            _in_query("middleware", {"enum": list(MIDDLEWARE)}),
        ],
        "responses": {
            "200": _response("A page", page),
            "201": _response("A page; Z-API documents both", page),
            "400": _response("Refused", _ERROR),
            "401": _response("The integrator token is missing or wrong", _ERROR),
            "405": _response("Wrong method", _ERROR),
            "415": _response("Content-Type is not application/json", _ERROR),
            "default": {"description": "A fault that was asked for"},
        },
        "security": [{"Integrator": []}],
    }


def _control_operation(row: ControlRoute) -> dict[str, Any]:
    streamed = row.path == "events"
    done = {"description": "Done"} if streamed else _response("Done", {"type": "object"})
    operation: dict[str, Any] = {
        "operationId": f"{row.method.lower()} _emulator/{row.path}",
        "summary": row.summary,
        "tags": ["emulator"],
        "parameters": [
            *map(_in_path, row.parameters),
            *(_in_query(parameter.name, parameter.schema, doc=parameter.doc) for parameter in row.query),
        ],
        "responses": {
            "200": done,
            "204": {"description": "Done"},
            "400": _response("The input is invalid", _ERROR),
            "404": _response("Not found", _ERROR),
        },
    }
    if row.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(row.body)}
    return operation


def document(routes: Iterable[ControlRoute]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document for Z-API's calls and these routes of the JSON interface."""
    paths: dict[str, dict[str, Any]] = {"/instances": {"get": _account_operation()}}
    for call in CALLS:
        path = f"/instances/{{id}}/token/{{token}}/{call.path}{'{phone}' if call.takes_segment else ''}"
        paths.setdefault(path, {})[call.method.lower()] = _call_operation(call)
    for row in routes:
        paths.setdefault(f"/_emulator/{row.path}", {})[row.method.lower()] = _control_operation(row)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Z-API emulator",
            "version": __version__,
            "description": "A local stand-in for Z-API. Calls that it does not serve answer 501.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "Client-Token": {"type": "apiKey", "in": "header", "name": "Client-Token"},
                "Integrator": {"type": "http", "scheme": "bearer"},
            }
        },
    }
