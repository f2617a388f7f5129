import tomllib

from nola_client.client import VERSION
from tests.server import ROOT


def test_the_package_and_its_client_have_one_version():
    project = tomllib.loads((ROOT / "nola_client" / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION
    assert project["dependencies"] == ["httpx>=0.27,<1"]
