"""A page that lists the API, made from its own description. Loads nothing from anywhere."""

from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
section { border-top: 1px solid; padding: .5rem 0 }
h2 { font-size: 1rem; margin: .5rem 0; overflow-wrap: anywhere }
code { font-family: ui-monospace, monospace }
p { white-space: pre-line; margin: .5rem 0 }
"""


def page(description: dict[str, Any]) -> str:
    """HTML of an OpenAPI description."""
    sections = [
        _section(method, path, operation)
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Readout API</title><style>{STYLE}</style><main><h1>Readout API</h1>"
        '<p>The same for programs: <a href="openapi.json">openapi.json</a>.</p>'
        f"{''.join(sections)}</main></html>"
    )


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = [
        f"<li><code>{escape(item['name'])}</code> in the {escape(item['in'])}</li>"
        for item in operation.get("parameters", [])
    ]
    listed = f"<ul>{''.join(parameters)}</ul>" if parameters else ""
    text = operation.get("description") or operation.get("summary", "")
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(text)}</p>{_body(operation)}{listed}</section>"
    )


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    names = [
        escape(media["schema"].get("$ref", "").rsplit("/", 1)[-1]) for media in content.values()
    ]
    return f"<p>Body: <code>{', '.join(names)}</code></p>" if names else ""
