"""Connect an agent: a key, a first call, the settings of common clients ready to copy, and who has just called.

docs/agents-clients.md shows the same settings. Each is tested: it can be read, and the command in it is there.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from access.models import ApiKey

RECENT = timedelta(hours=1)  # how far back a page may ask who has called


@dataclass(frozen=True)
class Snippet:
    """Something to copy: into which file it goes, and what. @WORDS@ stand for what this Nola is and where."""

    place: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class Client:
    """A program that can use the memory, and what makes it."""

    name: str
    snippets: tuple[Snippet, ...]


def _hook(indent: str, timeout: int) -> str:
    command = f'{{"type": "command", "command": "python3 @ROOT@/examples/load_context.py", "timeout": {timeout}}}'
    return f'"SessionStart": [\n{indent}  {{"hooks": [{command}]}}\n{indent}]'


STDIO = '"command": "@ROOT@/nola",\n      "args": ["mcp", "--data", "@DATA@", "--key", "planner"]'
BEGINS = "Loads the context when a session begins; start the client where MEMORY_KEY is set."

CLIENTS = (
    Client(
        "curl",
        (
            Snippet(
                "In a terminal",
                'curl -H "Authorization: Bearer $MEMORY_KEY" "@ADDRESS@/api/context?format=markdown&budget=500"',
                "The first call: what a model would be told.",
            ),
        ),
    ),
    Client(
        "Python",
        (
            Snippet("In a terminal", "pip install @ROOT@/nola_client"),
            Snippet(
                "In a program",
                """import os

from nola_client import Nola

with Nola(os.environ["MEMORY_KEY"], "@ADDRESS@") as nola:
    system = nola.context(budget=2000, q="dinner").text
    nola.put("Profile/diet", "vegan", reason="said so at dinner")""",
            ),
        ),
    ),
    Client(
        "Claude Code",
        (
            Snippet(
                ".mcp.json",
                """{
  "mcpServers": {
    "nola": {
      "type": "http",
      "url": "@ADDRESS@/mcp",
      "headers": {"Authorization": "Bearer ${MEMORY_KEY}"}
    }
  }
}""",
            ),
            Snippet(".claude/settings.json", '{\n  "hooks": {\n    ' + _hook("    ", 10) + "\n  }\n}", BEGINS),
        ),
    ),
    Client(
        "Claude Desktop",
        (
            Snippet(
                "claude_desktop_config.json",
                '{\n  "mcpServers": {\n    "nola": {\n      ' + STDIO + "\n    }\n  }\n}",
                "It has no hooks: say in a project's instructions to call context first.",
            ),
        ),
    ),
    Client(
        "Cursor",
        (
            Snippet(
                ".cursor/mcp.json",
                """{
  "mcpServers": {
    "nola": {
      "url": "@ADDRESS@/mcp",
      "headers": {"Authorization": "Bearer ${env:MEMORY_KEY}"}
    }
  }
}""",
            ),
            Snippet(
                ".cursor/hooks.json",
                """{
  "version": 1,
  "hooks": {
    "sessionStart": [{"command": "python3 @ROOT@/examples/load_context.py cursor"}]
  }
}""",
                "Some releases of early 2026 did not know sessionStart. "
                "There, say in a rule (.cursor/rules) to call context first.",
            ),
        ),
    ),
    Client(
        "VS Code",
        (
            Snippet(
                ".vscode/mcp.json",
                """{
  "inputs": [{"type": "promptString", "id": "nola-key", "description": "API key of Nola", "password": true}],
  "servers": {
    "nola": {
      "type": "http",
      "url": "@ADDRESS@/mcp",
      "headers": {"Authorization": "Bearer ${input:nola-key}"}
    }
  }
}""",
            ),
            Snippet(
                ".github/hooks/nola.json",
                """{
  "hooks": {
    "SessionStart": [{"type": "command", "command": "python3 @ROOT@/examples/load_context.py", "timeout": 10}]
  }
}""",
                f"{BEGINS} Hooks are a preview there.",
            ),
        ),
    ),
    Client(
        "Codex",
        (
            Snippet(
                "~/.codex/config.toml",
                """[mcp_servers.nola]
url = "@ADDRESS@/mcp"
bearer_token_env_var = "MEMORY_KEY"

[[hooks.SessionStart]]
[[hooks.SessionStart.hooks]]
type = "command"
command = "python3 @ROOT@/examples/load_context.py"
timeout = 10""",
                f"{BEGINS} Codex asks once whether to trust it; older releases want codex_hooks = true in [features].",
            ),
        ),
    ),
    Client(
        "Gemini CLI",
        (
            Snippet(
                "~/.gemini/settings.json",
                """{
  "mcpServers": {
    "nola": {
      "httpUrl": "@ADDRESS@/mcp",
      "headers": {"Authorization": "Bearer $MEMORY_KEY"}
    }
  },
  "hooks": {
    """
                + _hook("    ", 10_000)
                + "\n  }\n}",
                BEGINS,
            ),
        ),
    ),
    Client(
        "Zed",
        (
            Snippet(
                "settings.json",
                '{\n  "context_servers": {\n    "nola": {\n      ' + STDIO + ',\n      "env": {}\n    }\n  }\n}',
                "It has no hooks: begin with the prompt load-context, or say in a rule to call context first.",
            ),
        ),
    ),
)


def list_clients(address: str, root: str, data: str) -> list[Client]:
    """The clients with their settings, for the Nola that is at this address and lies there."""
    words = {"@ADDRESS@": address, "@ROOT@": root, "@DATA@": data}

    def fill(text: str) -> str:
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    return [
        replace(one, snippets=tuple(replace(snippet, text=fill(snippet.text)) for snippet in one.snippets))
        for one in CLIENTS
    ]


@require_safe
def show_connect(request: HttpRequest) -> HttpResponse:
    """The page."""
    address = settings.NOLA_PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
    clients = list_clients(address, str(settings.BASE_DIR), str(settings.NOLA_DATA_DIR))
    context = {"title": "Connect", "clients": clients, "now": timezone.now().timestamp()}
    return TemplateResponse(request, "admin/connect.html", {**admin.site.each_context(request), **context})


@require_safe
def list_callers(request: HttpRequest) -> HttpResponse:
    """The keys that have called after `since`, the last first, for a page that waits for the first call."""
    now = timezone.now()
    try:
        since = datetime.fromtimestamp(float(request.GET.get("since", "")), UTC)
    except (ValueError, OverflowError, OSError):
        since = now
    found = ApiKey.objects.filter(last_used_at__gt=max(since, now - RECENT)).order_by("-last_used_at", "-id")
    names = list(found.values_list("name", flat=True)[:10]) if request.user.has_perm("access.view_apikey") else []
    return JsonResponse({"callers": names})
