"""The site has all pages of the documentation, its links stay on the site, and it loads nothing from other servers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scripts import docs_site


def pages_in(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [page for entry in (nav.values() if isinstance(nav, dict) else nav) for page in pages_in(entry)]


def test_the_navigation_has_every_page_once() -> None:
    docs = docs_site.PROJECT / "docs"
    pages = {str(page.relative_to(docs)) for page in docs.rglob("*.md")}
    made = {path for path in docs_site.generated() if path.endswith(".md")}
    assert sorted(pages_in(docs_site.CONFIG["nav"])) == sorted(pages | made)


def test_the_reference_has_every_public_module_of_a_users_packages() -> None:
    shown = {module for _, modules in docs_site.API.values() for module in modules}
    package = docs_site.PROJECT / docs_site.PACKAGE
    users = ("hooks", "operators", "sensors", "triggers", "notifications")
    modules = {f"{name}.{path.stem}" for name in users for path in (package / name).glob("[!_]*.py")}
    # These modules only share code between the operators, so they are not for users.
    assert modules - shown == {"operators.base", "operators.events"}


def test_every_module_of_the_reference_lists_and_documents_its_public_names() -> None:
    for _, modules in docs_site.API.values():
        for name in modules:
            module = __import__(f"{docs_site.PACKAGE}.{name}", fromlist=["__all__"])
            assert module.__all__
            assert all(getattr(module, public).__doc__ for public in module.__all__)


@pytest.mark.parametrize(
    ("target", "source", "expected"),
    [
        ("connection.md", "docs/index.md", "connection.md"),
        ("#port", "docs/connection.md", "#port"),
        ("https://z-api.io", "docs/connection.md", "https://z-api.io"),
        ("../CONTRIBUTING.md#set-up", "docs/index.md", "contributing/index.md#set-up"),
        ("../../CHANGELOG.md", "docs/howto/x.md", "../changelog.md"),
        ("../operators.md#result", "docs/howto/x.md", "../operators.md#result"),
        ("docs/operators.md#result", "CHANGELOG.md", "operators.md#result"),
        ("docs/images/chain.png", "CHANGELOG.md", "images/chain.png"),
        ("CHANGELOG.md", "CONTRIBUTING.md", "../changelog.md"),
        ("LICENSE", "CHANGELOG.md", "LICENSE.txt"),
        ("example_dags", "CHANGELOG.md", "examples.md"),
        ("../example_dags/zapi_policy.py", "docs/operators.md", "examples.md#zapi_policy"),
        ("../airflow_provider_zapi/hooks/zapi.py", "docs/x.md", "api/hook.md#airflow_provider_zapi.hooks.zapi"),
        ("../airflow_provider_zapi/client", "docs/x.md", "api/client.md#airflow_provider_zapi.client"),
    ],
)
def test_a_link_of_the_repository_becomes_a_link_of_the_site(target: str, source: str, expected: str) -> None:
    assert docs_site.site_target(target, source) == expected


@pytest.mark.parametrize(
    "target", ["../Makefile", "../README.md", "../airflow_provider_zapi/operators/base.py", "../tests"]
)
def test_a_link_that_the_site_does_not_have_is_an_error(target: str) -> None:
    with pytest.raises(ValueError, match=re.escape(target.removeprefix("../"))):
        docs_site.site_target(target, "docs/index.md")


def test_links_are_changed_only_outside_of_code() -> None:
    page = "[one](../LICENSE)\n\n  ```text\n  [two](../LICENSE)\n  ```\n![three](../LICENSE)\n"
    expected = "[one](LICENSE.txt)\n\n  ```text\n  [two](../LICENSE)\n  ```\n![three](LICENSE.txt)\n"
    assert docs_site.relinked(page, "docs/index.md") == expected


def test_the_page_of_examples_has_every_file_completely() -> None:
    page = docs_site.examples_page()
    for file in (docs_site.PROJECT / docs_site.EXAMPLES).glob("[!_.]*.*"):
        assert f"\n{file.read_text()}```" in page


@pytest.mark.parametrize(
    ("text", "loaded"),
    [
        ('<a href="https://a.example/x">', []),
        ('<script src="assets/x.js"></script><img src="images/x.png">', []),
        ('<script src="https://a.example/x.js"></script>', ["https://a.example/x.js"]),
        ("<script async src=//a.example/x.js></script>", ["//a.example/x.js"]),
        ('<link rel="stylesheet" href="https://a.example/x.css">', ["https://a.example/x.css"]),
        ('<img alt="x" src="http://a.example/x.png">', ["http://a.example/x.png"]),
        ("src: url(https://a.example/x.woff2)", ["https://a.example/x.woff2"]),
        ('@import "//a.example/x.css"', ["//a.example/x.css"]),
        ("background: url('data:image/svg+xml;https://a.example')", []),
    ],
)
def test_what_a_page_loads_from_elsewhere_is_found(text: str, loaded: list[str]) -> None:
    assert docs_site.loaded_from_elsewhere(text) == loaded


def test_the_pages_of_the_site_are_those_of_its_navigation_with_its_own_links(tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    docs_site.write_pages(folder)
    assert sorted(pages_in(docs_site.CONFIG["nav"])) == sorted(
        str(page.relative_to(folder)) for page in folder.rglob("*.md")
    )
    for page in folder.rglob("*.md"):
        for target in re.findall(
            r"(?<!`)\]\(([^)#\s]+)[^)]*\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        ):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_a_site_that_loads_from_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<a href="https://a.example">a</a><img src="x.png">')
    docs_site.check_site(tmp_path)
    (tmp_path / "other.css").write_text("src: url(https://a.example/x.woff2)")
    with pytest.raises(ValueError, match=r"other\.css loads from another server: https://a\.example/x\.woff2"):
        docs_site.check_site(tmp_path)
