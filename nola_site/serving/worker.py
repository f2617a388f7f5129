"""The gunicorn worker of `manage.py serve`: its asgi worker, which ends as soon as nothing is being answered."""

from typing import Any

from gunicorn.workers.gasgi import ASGIWorker


class Worker(ASGIWorker):
    """Tells open streams at once that it stops, and does not wait for connections that are merely kept open."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.connections = 0
        super().__init__(*args, **kwargs)

    @property
    def nr_conns(self) -> int:
        """The open connections; while stopping, those that a stop waits for."""
        if self.alive:
            return self.connections
        from nola_site.serving.site import site  # not before the worker has loaded it

        return site.busy

    @nr_conns.setter
    def nr_conns(self, count: int) -> None:
        self.connections = count

    def handle_exit_signal(self) -> None:
        super().handle_exit_signal()
        self.say_goodbye()

    def handle_quit_signal(self) -> None:
        super().handle_quit_signal()
        self.say_goodbye()

    def say_goodbye(self) -> None:
        from nola_site.serving.site import site

        site.close("the server is stopping")
