"""Settings of a server that has what the conformance suite wants to find, and nothing else."""

from nola_site.settings import *  # noqa: F403

ROOT_URLCONF = "nola_site.mcp.tests.conformance_offer"
