"""The gunicorn worker of `manage.py serve`: its asgi worker, which tells open streams at once that it stops."""

from gunicorn.workers.gasgi import ASGIWorker


class Worker(ASGIWorker):
    """Otherwise it would wait for the streams to end by themselves."""

    def handle_exit_signal(self) -> None:
        super().handle_exit_signal()
        say_goodbye()

    def handle_quit_signal(self) -> None:
        super().handle_quit_signal()
        say_goodbye()


def say_goodbye() -> None:
    from nola_site.asgi import site  # not before the worker has loaded it

    site.close("the server is stopping")
