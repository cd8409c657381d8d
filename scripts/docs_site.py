"""What the documentation's site has beside the pages of docs/: MkDocs calls this while it builds (``make docs``).

The pages are written for the repository, where a link may lead to the README, an example or a module. Here each of
these gets a page of the site, made from the one source that there is, and the links lead to it.
"""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = "airflow_provider_zapi"
EXAMPLES = "example_dags"

#: Files of the repository -> where the site has them.
COPIED = {
    "README.md": "overview.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing/index.md",
    "SECURITY.md": "contributing/security-policy.md",
    "LICENSE": "LICENSE.txt",
}

#: Pages of the API reference -> title, and the modules whose public names they hold.
API = {
    "api/hook.md": ("Hook", ["hooks.zapi"]),
    "api/operators.md": (
        "Operators",
        ["operators.privacy", "operators.policy", "operators.fleet", "operators.instance"],
    ),
    "api/sensors.md": ("Sensors", ["sensors.instance", "sensors.contacts", "sensors.base"]),
    "api/triggers.md": ("Trigger", ["triggers.instance"]),
    "api/notifications.md": ("Notifier", ["notifications.zapi"]),
    "api/exceptions.md": ("Errors and retries", ["exceptions", "retry_policy"]),
    "api/client.md": ("Client", ["client"]),
    "api/policy.md": ("Policy", ["privacy.policy"]),
    "api/emulator.md": ("Emulator", ["emulator"]),
}

EXAMPLES_PAGE = "examples.md"
_LANGUAGES = {".py": "python", ".json": "json", ".yaml": "yaml"}

#: A fenced block, which is passed over, or the target of a link.
_LINK = re.compile(r"^( *)```.*?^\1```$|(?<=\]\()[^)\s]+(?=\))", re.MULTILINE | re.DOTALL)

#: What makes a browser load something, as opposed to a link that somebody may follow.
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)"""
)


def examples() -> list[Path]:
    """Return the files that the page of examples shows."""
    return sorted(path for path in (PROJECT / EXAMPLES).iterdir() if path.suffix in _LANGUAGES)


def examples_page() -> str:
    """Return the page of examples: each file whole, under its own heading."""
    parts = ["# Example DAGs", "They run as they are, against the [emulator](emulator.md) too."]
    for path in examples():
        code = path.read_text()
        said = (ast.get_docstring(ast.parse(code)) or "") if path.suffix == ".py" else ""
        parts += [f"## {path.name} {{#{path.stem}}}", said, f"```{_LANGUAGES[path.suffix]}\n{code}```"]
    return "\n\n".join(filter(None, parts)) + "\n"


def api_page(title: str, modules: list[str]) -> str:
    """Return a page of the API reference, to be filled from the docstrings."""
    return "\n\n".join([f"# {title}", *(f"::: {PACKAGE}.{module}" for module in modules)]) + "\n"


def generated() -> dict[str, str]:
    """Return the site's pages that are not in docs/, by their paths."""
    return {
        **{site: (PROJECT / source).read_text() for source, site in COPIED.items()},
        EXAMPLES_PAGE: examples_page(),
        **{page: api_page(*row) for page, row in API.items()},
    }


def _places() -> dict[str, str]:
    """Return where the site has what is not in docs/, by its path in the repository."""
    places = {**COPIED, EXAMPLES: EXAMPLES_PAGE}
    places |= {f"{EXAMPLES}/{path.name}": f"{EXAMPLES_PAGE}#{path.stem}" for path in examples()}
    for page, (_, modules) in API.items():
        for module in modules:
            file = f"{PACKAGE}/{module.replace('.', '/')}"
            places[f"{file}.py" if (PROJECT / f"{file}.py").exists() else file] = f"{page}#{PACKAGE}.{module}"
    return places


def site_target(target: str, source: str) -> str:
    """Return where a link leads on the site.

    :param target: as it stands in the repository
    :param source: the path in the repository of the page that it stands on
    :raises ValueError: the site has no such place
    """
    path, hash_, anchor = target.partition("#")
    if not path or "://" in target:
        return target
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    here = site_path(source)
    found, _, its_anchor = site_path(wanted).partition("#")
    ending = f"{hash_}{anchor}" if anchor else f"#{its_anchor}" if its_anchor else ""
    return posixpath.relpath(found, posixpath.dirname(here) or ".") + ending


def site_path(path: str) -> str:
    """Return where the site has a file of the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    try:
        return _places()[path]
    except KeyError:
        raise ValueError(f"the site has no {path}; scripts/docs_site.py says what it has beside docs/") from None


def relinked(markdown: str, source: str) -> str:
    """Return a page whose links lead to the site's own places."""
    return _LINK.sub(
        lambda found: found[0] if found[0].lstrip().startswith("```") else site_target(found[0], source), markdown
    )


def loaded_from_elsewhere(text: str) -> list[str]:
    """Return the addresses of other servers that a page or a style sheet makes a browser load something from."""
    return [found[1] or found[2] for found in _LOADED.finditer(text)]


# What MkDocs calls.


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    from mkdocs.structure.files import File

    for path, content in generated().items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let the links of the repository lead to places of the site."""
    from mkdocs.exceptions import PluginError

    path = page.file.src_uri
    if path in (EXAMPLES_PAGE, *API):
        return markdown
    try:
        return relinked(markdown, {site: source for source, site in COPIED.items()}.get(path, f"docs/{path}"))
    except ValueError as error:
        raise PluginError(f"{path}: {error}") from None


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that loads anything from another server."""
    from mkdocs.exceptions import PluginError

    for path in sorted(Path(config.site_dir).rglob("*")):
        if path.suffix in (".html", ".css") and (found := loaded_from_elsewhere(path.read_text())):
            raise PluginError(f"{path.relative_to(config.site_dir)} loads from elsewhere: {', '.join(found)}")
