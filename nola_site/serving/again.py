"""A request that the database has given up, before anything of it was kept, is answered anew on another connection."""

from typing import Any

from access.database import engine
from nola_site.serving.problems import LOST

READS = ("GET", "HEAD", "OPTIONS")


def answer_twice(application: Any) -> Any:
    """A WSGI application that answers such requests a second time. Bodies must be such as can be read again."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        commits = engine().commits
        response = application(environ, start_response)
        is_lost = environ.pop(LOST, False)
        if is_lost and (environ["REQUEST_METHOD"] in READS or engine().commits == commits):
            response.close()  # with it Django lets go of the connection
            environ["wsgi.input"].seek(0)
            response = application(environ, start_response)
        return response

    return answer
