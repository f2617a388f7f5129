"""For `gunicorn nola_site.wsgi` and other WSGI servers; `./nola serve` starts nola_site.asgi instead."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nola_site.settings")
django = get_wsgi_application()

from nola_site.safety import first_run, schedule  # noqa: E402 - they need Django set up
from nola_site.serving.wsgi import WsgiSite  # noqa: E402

first_run.prepare()
schedule.start()
application = WsgiSite(django)
