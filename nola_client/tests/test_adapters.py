"""The adapters in an environment that has the frameworks; `make adapters` makes it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.server import KEY, ROOT

pytestmark = pytest.mark.process
PYTHON = ROOT / ".venv-adapters" / "bin" / "python"
WHERE = "import nola_client, sys; print(nola_client.__file__, bool({'agents', 'django'} & sys.modules.keys()))"
HERE = Path(__file__).parent / "adapters"


LEAST = {"langgraph": 800, "openai_agents": 100, "langchain": 150, "anthropic_memory": 400}  # calls that are compared

FROM_PYTHON = (ROOT / "docs" / "agents-clients.md").read_text().partition("## From Python")[2]
DOCUMENTED = {
    section.partition("\n")[0]: code[1]
    for section in FROM_PYTHON.split("\n### ")[1:]
    if (code := re.search(r"^```python\n(.*?)^```", section, re.M | re.S))
}
MADE_UP = {  # a model for those that ask one
    "OpenAI Agents": """
import agents
from agents.items import ModelResponse
from agents.usage import Usage
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

class Model(agents.Model):
    async def get_response(self, system_instructions, input, *arguments, **more):
        text = ResponseOutputText(text=system_instructions, type="output_text", annotations=[])
        said = ResponseOutputMessage(id="m", role="assistant", status="completed", type="message", content=[text])
        return ModelResponse(output=[said], usage=Usage(), response_id=None)
    def stream_response(self, *arguments, **more): ...

whole = agents.Agent
agents.Agent = lambda **given: whole(model=Model(), **given)
""",
    "Pydantic AI": """
import pydantic_ai
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel

echo = FunctionModel(lambda messages, info: ModelResponse(parts=[TextPart(info.instructions or "nothing")]))
whole = pydantic_ai.Agent
pydantic_ai.Agent = lambda model, **given: whole(echo, **given)
""",
}
TOLD = {
    "LangGraph": "Ada is vegan",
    "OpenAI Agents": "vegan",
    "Pydantic AI": "vegan",
    "Anthropic's memory tool": "Here're the files",
}


def run(*arguments, **env):
    if not (ROOT / ".venv-adapters" / ".installed").exists():
        pytest.skip("NO FRAMEWORKS: `make adapters` installs what the adapters are tested against, and tests them")
    env |= {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([PYTHON, *arguments], cwd=HERE, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.heavy
@pytest.mark.parametrize("adapter", LEAST)
def test_an_adapter_does_what_the_frameworks_own_object_does(server, adapter):
    env = {"MEMORY_URL": f"http://127.0.0.1:{server.port}", "MEMORY_KEY": KEY, "PYTHONPATH": str(ROOT)}

    output = run("-m", "pytest", f"check_{adapter}.py", OPENAI_AGENTS_DISABLE_TRACING="1", **env)

    assert int(re.search(r"(\d+) calls compared", output)[1]) > LEAST[adapter]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_program_in_the_docs_runs(server, name):
    env = {"MEMORY_URL": f"http://127.0.0.1:{server.port}", "MEMORY_KEY": KEY, "PYTHONPATH": str(ROOT)}
    server.request("PUT", "/api/state/Profile/diet", b'"vegan"')

    told = run("-c", MADE_UP.get(name, "") + DOCUMENTED[name], MODEL="test", OPENAI_AGENTS_DISABLE_TRACING="1", **env)

    assert TOLD[name] in told


def test_the_package_is_installed_from_a_clone_and_needs_httpx_alone():
    place, has_framework = run("-I", "-c", WHERE).split()

    installed = {path.name for path in Path(place).parent.iterdir()} - {"__pycache__"}
    assert "site-packages" in place
    assert has_framework == "False"
    assert installed == {path.name for path in (ROOT / "nola_client").glob("*.py")} | {"py.typed"}
