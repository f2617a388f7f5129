"""The names under which history remembers who wrote. Always made here, never taken from a request's body."""

import getpass


def cli_actor() -> str:
    """Whoever runs this command, as the operating system names them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "cli:unknown"
