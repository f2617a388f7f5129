from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "nola_site"
