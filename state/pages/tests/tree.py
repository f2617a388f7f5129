"""The tree page as tests use it: find rows, and read back all that is shown."""

import json
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Locator, Page

from tests.server import Server

SHOWN = """() => {
  const shown = (list) => [...list.children].filter((one) => one.matches('.tree-node')).map((one) => {
    const [, name, value] = one.firstElementChild.children;
    const kids = one.querySelector(':scope > ul');
    const text = value.querySelector('.tree-string') ?? value;
    const kind = value.className.split('-').at(-1);
    return [name.textContent, kind, kids?.children.length ? shown(kids) : text.textContent];
  });
  return shown(document.querySelector('[role=tree]'));
}"""


def open_tree(page: Page, pointer: str = "") -> None:
    """Open the tree, at a node if there is a pointer, and wait until it is live."""
    page.goto("about:blank")
    page.goto(f"/admin/state/tree/#{quote(pointer)}")
    page.wait_for_selector("[data-status=live]")
    if pointer:
        page.wait_for_function("name => document.activeElement?.ariaLabel?.startsWith(name + ':')", arg=last(pointer))


def last(pointer: str) -> str:
    return pointer.rsplit("/", 1)[-1].replace("~1", "/").replace("~0", "~")


def item(page: Page, name: str) -> Locator:
    """The row's element with that name; names are chosen so that there is one."""
    return page.locator(f".tree-node[aria-label^={json.dumps(name + ':')}]")


def value(page: Page, name: str) -> Locator:
    return item(page, name).locator("> .tree-row > .tree-value")


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.tagName")


def shown(page: Page) -> list[Any]:
    """All rows: [name, type, text or rows]."""
    return page.evaluate(SHOWN)


def rows_of(value: Any) -> Any:
    """The rows that a JSON value has when all of it is opened."""
    if isinstance(value, dict):
        return [row(name, one) for name, one in value.items()]
    return [row(str(index), one) for index, one in enumerate(value)]


def row(name: str, value: Any) -> list[Any]:
    if isinstance(value, (dict, list)):
        return [name, "object" if isinstance(value, dict) else "array", rows_of(value) if value else "0"]
    if isinstance(value, str):
        return [name, "text", value]
    kind = "null" if value is None else "boolean" if isinstance(value, bool) else "number"
    return [name, kind, json.dumps(value)]


def stored(server: Server, pointer: str) -> Any:
    status, body, _ = server.request("GET", f"/api/state{quote(pointer)}")
    return json.loads(body) if status == 200 else None


def write(server: Server, method: str, pointer: str, value: Any = None) -> None:
    body = None if method == "DELETE" else json.dumps(value).encode()
    status, answer, _ = server.request(method, f"/api/state{quote(pointer)}", body)
    assert status in (200, 201, 204), answer


def clear(server: Server) -> None:
    """Remove what tests have put beside the seeds, for those that look at the whole tree of a shared server."""
    for key in json.loads(server.request("GET", "/api/state")[1]).keys() - {"Context", "Identity", "Persona"}:
        write(server, "DELETE", f"/{key.replace('~', '~0').replace('/', '~1')}")


def patch(server: Server, key: str, *operations: dict[str, Any]) -> None:
    connection = server.connect()
    headers = {"Authorization": "Bearer nola_a-key-for-tests-only", "Content-Type": "application/json-patch+json"}
    connection.request("PATCH", f"/api/state/{quote(key)}", json.dumps(operations).encode(), headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    assert response.status == 200, answer
