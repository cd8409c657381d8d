"""Build the documentation site from docs/ and other files of the repository: ``make docs``.

The pages are written for the repository, where a link may lead to an example, a module or the changelog. This script
generates a page of the site for each of these, and changes the links.
"""

from __future__ import annotations

import ast
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[1]
#: The configuration is in MkDocs' format, which Zensical reads.
CONFIG = yaml.safe_load((PROJECT / "mkdocs.yml").read_text())
PACKAGE = "airflow_provider_zapi"
EXAMPLES = "example_dags"

#: Files of the repository, and their places on the site.
COPIED = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing/index.md",
    "SECURITY.md": "contributing/security-policy.md",
    "LICENSE": "LICENSE.txt",
}

#: Pages of the API reference, with their title and the modules whose public names they describe.
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

#: A fenced block, which is skipped, or the target of a link.
_LINK = re.compile(r"^( *)```.*?^\1```$|(?<=\]\()[^)\s]+(?=\))", re.MULTILINE | re.DOTALL)

#: Markup that makes a browser load something. Links do not count, because a browser loads them only on a click.
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)"""
)


def examples() -> list[Path]:
    """Return the files to show on the page of examples."""
    return sorted(path for path in (PROJECT / EXAMPLES).iterdir() if path.suffix in _LANGUAGES)


def examples_page() -> str:
    """Return the page of examples: each file whole, under its own heading."""
    parts = ["# Example DAGs", "You can run them unchanged, against Z-API or the [emulator](emulator.md)."]
    for path in examples():
        code = path.read_text()
        said = (ast.get_docstring(ast.parse(code)) or "") if path.suffix == ".py" else ""
        parts += [f"## {path.name} {{#{path.stem}}}", said, f"```{_LANGUAGES[path.suffix]}\n{code}```"]
    return "\n\n".join(filter(None, parts)) + "\n"


def api_page(title: str, modules: list[str]) -> str:
    """Return a page of the API reference. Zensical fills it from the docstrings."""
    return "\n\n".join([f"# {title}", *(f"::: {PACKAGE}.{module}" for module in modules)]) + "\n"


def generated() -> dict[str, str]:
    """Return the site's pages that are not in docs/, by path."""
    return {
        **{site: (PROJECT / source).read_text() for source, site in COPIED.items()},
        EXAMPLES_PAGE: examples_page(),
        **{page: api_page(*row) for page, row in API.items()},
    }


def _places() -> dict[str, str]:
    """Return the place on the site of each file outside docs/, by its path in the repository."""
    places = {**COPIED, EXAMPLES: EXAMPLES_PAGE}
    places |= {f"{EXAMPLES}/{path.name}": f"{EXAMPLES_PAGE}#{path.stem}" for path in examples()}
    for page, (_, modules) in API.items():
        for module in modules:
            file = f"{PACKAGE}/{module.replace('.', '/')}"
            places[f"{file}.py" if (PROJECT / f"{file}.py").exists() else file] = f"{page}#{PACKAGE}.{module}"
    return places


def site_target(target: str, source: str) -> str:
    """Return the target of a link on the site.

    :param target: the target in the repository
    :param source: the path in the repository of the page that has the link
    :raises ValueError: the site does not have the target
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
    """Return the place of a repository file on the site."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    try:
        return _places()[path]
    except KeyError:
        raise ValueError(f"the site does not have {path}; scripts/docs_site.py lists its files outside docs/") from None


def relinked(markdown: str, source: str) -> str:
    """Return a page with links to the places on the site."""
    return _LINK.sub(
        lambda found: found[0] if found[0].lstrip().startswith("```") else site_target(found[0], source), markdown
    )


def loaded_from_elsewhere(text: str) -> list[str]:
    """Return the addresses of other servers from which a page or a style sheet loads something."""
    return [found[1] or found[2] for found in _LOADED.finditer(text)]


def write_pages(folder: Path) -> None:
    """Write the pages of docs/ and the generated pages into a folder, with links for the site."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PROJECT / "docs", folder)
    for path, content in generated().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    sources = {site: source for source, site in COPIED.items()}
    for page in folder.rglob("*.md"):
        path = page.relative_to(folder).as_posix()
        if path not in (EXAMPLES_PAGE, *API):
            page.write_text(relinked(page.read_text(), sources.get(path, f"docs/{path}")))


def check_site(folder: Path) -> None:
    """Check that no page of the site loads anything from another server.

    :raises ValueError: a page loads something from another server
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".html", ".css") and (found := loaded_from_elsewhere(path.read_text())):
            raise ValueError(f"{path.relative_to(folder)} loads from another server: {', '.join(found)}")


def main() -> None:
    """Build the site in site/ from the pages in build/pages/."""
    write_pages(PROJECT / CONFIG["docs_dir"])
    site = PROJECT / CONFIG["site_dir"]
    shutil.rmtree(site, ignore_errors=True)  # remove the files of deleted pages
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file", "mkdocs.yml"]
    if code := subprocess.run(command, cwd=PROJECT).returncode:
        sys.exit(code)
    check_site(site)


if __name__ == "__main__":
    main()
