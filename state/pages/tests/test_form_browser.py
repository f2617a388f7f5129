"""From the tree to the form of a key and back, by keyboard and by menu."""

import json

from state.pages.tests.tree import focused, open_tree, write


def test_g_leads_from_one_view_to_the_other_and_back(page, server):
    write(server, "PUT", "/Both", {"in": {"deep": 1}})
    open_tree(page, "/Both/in/deep")

    page.keyboard.press("g")
    page.wait_for_url("**/admin/state/stateentry/")
    page.keyboard.press("g")
    page.wait_for_url("**/admin/state/tree/**")


def test_the_menu_of_any_node_leads_to_the_form_of_its_key_and_from_there_to_its_place(page, server):
    write(server, "PUT", "/a.b~1c", {"in": {"deep": 1}})
    open_tree(page, "/a.b~1c/in/deep")

    page.keyboard.press("m")
    page.get_by_role("menuitem", name="Edit as form").click()
    page.wait_for_selector("textarea[name=value]")
    assert json.loads(page.input_value("textarea[name=value]")) == {"in": {"deep": 1}}
    page.locator("textarea[name=value]").press("g")
    assert page.locator("textarea[name=value]").count() == 1
    page.locator("textarea[name=value]").blur()
    page.reload()
    page.keyboard.press("g")
    page.wait_for_selector("[data-status=live]")
    page.wait_for_function("() => document.activeElement.ariaLabel?.startsWith('a.b/c:')")
    assert focused(page).startswith("a.b/c: object")
