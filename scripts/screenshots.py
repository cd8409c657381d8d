"""Take the documentation's pictures anew, of a real Airflow and the emulator: ``make screenshots``.

On the way it looks at what the pictures cannot show: the Test button, hidden secrets, a secret that stays when the
form is saved again, and the link of a task.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from airflow_provider_zapi.emulator import Emulator, RunningEmulator, running_emulator
from airflow_provider_zapi.links import ZApiPanelLink
from airflow_provider_zapi.panel import INSTANCES_PAGE
from scripts.airflow_demo import NUMBERS, PROJECT
from scripts.browser import CHROMIUM, EXTRA, STANDARD, ConnectionForm, browser_page
from scripts.standalone import RunningAirflow

IMAGES = PROJECT / "docs" / "images"
#: Larger ones make the pages slow.
MAX_BYTES = 150_000

PACKAGES = ("chromium", "fonts-dejavu-core", "fonts-liberation")
WRONG = "wrong-client-token"


def install_chromium() -> None:
    """Install Chromium from Debian where it is missing."""
    if Path(CHROMIUM).exists():
        return
    subprocess.run(["apt-get", "update", "-qq"], check=True)  # noqa: S607 - wherever the system has it
    subprocess.run(
        ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES],  # noqa: S607 - likewise
        check=True,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
    )


def take(name: str, what: Page | Locator) -> None:
    """Write a picture of a page or of a part of it."""
    path = IMAGES / f"{name}.png"
    size = len(what.screenshot(path=path))
    print(f"{path.relative_to(PROJECT)}: {size / 1000:.0f} kB")
    if size > MAX_BYTES:
        raise SystemExit(f"{path.name} is larger than {MAX_BYTES} bytes")


def connection_form(form: ConnectionForm, emulator: RunningEmulator) -> None:
    """Type the first number's connection as a newcomer does, with a wrong token at first."""
    number = NUMBERS[0]
    form.add(number.connection)
    form.fill({"login": number.instance, "password": number.token, "port": "443"})
    form.dialog.get_by_role("heading", name="Add Connection").click()  # no cursor in the picture
    take("connection-form", form.dialog)
    form.fill({"host": emulator.url, "client_token": WRONG, "phone": "5544999990000", "timeout": "30"})
    form.dialog.get_by_role("heading", name="Add Connection").click()
    take("connection-form-extra", form.dialog)
    form.save()

    said = form.test(number.connection)
    if said is None or "Z-API refused the Client-Token" not in said or WRONG in said:
        raise SystemExit(f"A wrong Client-Token, tested, said: {said}")
    print(f"Test with a wrong Client-Token said: {said!r}")

    form.edit(number.connection)
    form.section(EXTRA)
    expect(form.field("client_token")).to_have_value("***")
    expect(form.field("client_token")).to_have_attribute("type", "password")
    form.fill({"client_token": number.client_token})
    form.save()
    green(form, number.connection)

    form.edit(number.connection)
    form.section(STANDARD)
    expect(form.field("password")).to_have_value("***")
    expect(form.field("password")).to_have_attribute("type", "password")
    form.dialog.locator("textarea[name=description]").fill("The number of the demo")
    form.save()
    green(form, number.connection)


def green(form: ConnectionForm, conn_id: str) -> None:
    """Look that the Test button turns green."""
    if (said := form.test(conn_id)) is not None:
        raise SystemExit(f"The Test button said: {said}")
    print("Test is green")


def graph(name: str, page: Page, airflow: RunningAirflow, dag_id: str, height: int) -> dict[str, str]:
    """Run an example and show its graph; return the address of each task's page."""
    airflow.wait_for_dag(dag_id)
    tasks = airflow.run_dag(dag_id)
    run = f"{airflow.url}/dags/{dag_id}/runs/{tasks[0]['dag_run_id']}"
    page.set_viewport_size({"width": 1000, "height": height})
    page.goto(run)
    page.locator("[aria-label^='Show Graph']").click()
    page.get_by_label("Collapse Details Panel").click()
    nodes = {task["task_id"] for task in tasks}
    expect(page.get_by_text("success").nth(len(nodes) - 1)).to_be_visible()
    page.mouse.move(0, 0)  # off the graph, which tells about a task under the pointer
    page.wait_for_timeout(1500)  # the graph moves to its place
    take(name, page)
    return {task["task_id"]: f"{run}/tasks/{task['task_id']}" for task in tasks}


def airflow_pages(page: Page, airflow: RunningAirflow) -> None:
    """Run the examples on the connection just typed and on the others, show their graphs, and look at a task's link."""
    for number in NUMBERS:
        airflow.api("POST", "/pools", {"name": number.connection, "slots": 1})
    graph("dag-graph", page, airflow, "zapi_several_numbers", 560)
    tasks = graph("chain", page, airflow, "zapi_wait_check_apply_tell", 420)
    page.goto(f"{tasks['wait_for_phone']}/details")
    expect(page.get_by_role("link", name=ZApiPanelLink.name)).to_have_attribute("href", INSTANCES_PAGE)
    print(f"The task's page links to {INSTANCES_PAGE}")


def emulator_page(page: Page, emulator: RunningEmulator) -> None:
    """Show what the run did, as the emulator's page does."""
    page.set_viewport_size({"width": 820, "height": 600})
    page.goto(emulator.url)
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    box = page.locator("section.card").first.bounding_box()
    if box is None:
        raise SystemExit("The emulator's page shows no instance")
    page.set_viewport_size({"width": 820, "height": round(box["y"] + box["height"]) + 16})
    take("emulator", page)


def emulator_with_a_past() -> Emulator:
    """Return the demo's numbers with exceptions that are older than the demo."""
    emulator = Emulator()
    for at, number in enumerate(NUMBERS):
        emulator.put(
            number.instance,
            {
                "token": number.token,
                "client_token": number.client_token,
                "phone": str(5544999990000 + at),
                "name": number.instance.partition("-")[0].capitalize(),
                "settings": {"last_seen": {"exceptions": ["5544993333333", "5544994444444"]}},
            },
        )
    return emulator


def main() -> int:
    """Take all pictures."""
    install_chromium()
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="zapi-pictures-") as folder, running_emulator(emulator_with_a_past()) as it:
        port = int(it.url.rpartition(":")[2])
        others = dict(number.variable(port) for number in NUMBERS[1:])
        with RunningAirflow(Path(folder), PROJECT / "example_dags", others) as airflow, browser_page() as page:
            airflow.wait_until_ready()
            connection_form(ConnectionForm(page, airflow.url), it)
            airflow_pages(page, airflow)
            emulator_page(page, it)
    return 0


if __name__ == "__main__":
    sys.exit(main())
