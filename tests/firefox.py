"""A real Firefox, spoken to as its makers test it: JSON over a socket (Marionette), with nothing to install beside it.

Playwright needs a Firefox of its own and selenium a driver; neither can be had from a package registry.
"""

import itertools
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

NAMES = ("firefox-esr", "firefox")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the W3C's name for a reference to one
PATIENCE = 60.0  # seconds for anything to come true
SETTINGS = {
    "marionette.port": 0,  # one that is free
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
    "ui.systemUsesDarkTheme": 0,
}
KEYS = {
    "Backspace": "\ue003", "Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Control": "\ue009",
    "Alt": "\ue00a", "Escape": "\ue00c", "End": "\ue010", "Home": "\ue011", "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Delete": "\ue017",
}  # fmt: skip
ERRORS = """
  const found = Services.console.getMessageArray().filter((one) => one instanceof Ci.nsIScriptError)
    .filter((one) => !(one.flags & Ci.nsIScriptError.warningFlag) && one.sourceName.startsWith("http"))
    .map((one) => `${one.errorMessage} (${one.sourceName}:${one.lineNumber})`);
  Services.console.reset();
  return found;
"""
NARROW = """
  const { style } = window.gBrowser.selectedBrowser;
  for (const side of ["min", "max"]) {
    style.setProperty(`${side}-width`, `${arguments[0]}px`);
    style.setProperty(`${side}-height`, `${arguments[1]}px`);
  }
"""


class Firefox:
    def __init__(self, profile: Path, port: int) -> None:
        self.profile, self.numbers = profile, itertools.count(1)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.answers = self.socket.makefile("rb")
        self._read()  # it says who it is
        self.tell("WebDriver:NewSession", strictFileInteractability=True)

    def tell(self, command: str, **parameters: Any) -> Any:
        """What Firefox answers to a command. Raises AssertionError where that is an error."""
        message = json.dumps([0, next(self.numbers), command, parameters])
        self.socket.sendall(f"{len(message)}:{message}".encode())  # json.dumps writes ASCII alone
        _, _, error, result = self._read()
        assert error is None, f"{command}: {error['error']}: {error['message']}"
        return result.get("value", result) if isinstance(result, dict) else result

    def _read(self) -> Any:
        length = b""
        while (digit := self.answers.read(1)) != b":":
            assert digit, "Firefox has ended"
            length += digit
        return json.loads(self.answers.read(int(length)))

    # What a person does

    def goto(self, address: str) -> None:
        self.tell("WebDriver:Navigate", url=address)

    def press(self, *keys: str) -> None:
        """Press keys, all of them down before the first goes up: press("Control", "z")."""
        down = [{"type": "keyDown", "value": KEYS.get(key, key)} for key in keys]
        up = [{"type": "keyUp", "value": KEYS.get(key, key)} for key in reversed(keys)]
        self.tell("WebDriver:PerformActions", actions=[{"type": "key", "id": "keyboard", "actions": down + up}])

    def type(self, text: str) -> None:
        for letter in text:
            self.press(letter)

    def click(self, selector: str) -> None:
        """Click what is there, or will be."""
        self.wait("document.querySelector(arguments[0])?.checkVisibility()", selector)
        found = self.tell("WebDriver:FindElement", using="css selector", value=selector)
        self.tell("WebDriver:ElementClick", id=found[ELEMENT])

    def resize(self, width: int, height: int) -> None:
        """Make the page as wide as a phone, which no window can be."""
        self._run_inside(NARROW, width, height)
        self.wait("innerWidth === arguments[0]", width)

    # What is there

    def run(self, script: str, *arguments: Any) -> Any:
        """What an expression in the page comes to."""
        return self.tell("WebDriver:ExecuteScript", script=f"return {script}", args=list(arguments), sandbox=None)

    def wait(self, script: str, *arguments: Any) -> Any:
        """What an expression comes to once that is true."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(AssertionError):  # the page is just being left
                if found := self.run(script, *arguments):
                    return found
            assert time.monotonic() < deadline, f"does not become true: {script} {arguments}"
            time.sleep(0.02)

    def wait_for(self, text: str) -> None:
        self.wait("document.body?.innerText.includes(arguments[0])", text)

    def errors(self) -> list[str]:
        """What has gone wrong in pages since this was asked last: scripts, policies."""
        return self._run_inside(ERRORS)

    def _run_inside(self, script: str, *arguments: Any) -> Any:
        self.tell("Marionette:SetContext", value="chrome")
        try:
            return self.tell("WebDriver:ExecuteScript", script=script, args=list(arguments), sandbox=None)
        finally:
            self.tell("Marionette:SetContext", value="content")


@contextmanager
def firefox() -> Iterator[Firefox]:
    """A Firefox, ended at the end. Skips the test loudly where this machine has none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("NO FIREFOX: install it (apt install firefox-esr) to run the tests of the pages in it")
    with tempfile.TemporaryDirectory(prefix="nola-firefox-") as folder:
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in SETTINGS.items()]
        Path(folder, "user.js").write_text("\n".join(lines))
        command = [found, "--headless", "--no-remote", "--marionette", "--remote-allow-system-access"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([*command, "--profile", folder], **silent)
        try:
            browser = Firefox(Path(folder), active_port(Path(folder), process))
            yield browser
            browser.tell("Marionette:Quit", flags=["eForceQuit"])
            process.wait(PATIENCE)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def active_port(profile: Path, process: subprocess.Popen) -> int:
    """The port that Firefox has taken, once it says so."""
    said, deadline = profile / "MarionetteActivePort", time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if said.exists() and (port := said.read_text()):
            return int(port)
        time.sleep(0.05)
    raise AssertionError("Firefox did not come up")
