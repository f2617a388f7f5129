"""Nola's own offer, and the memory behind it."""

from typing import Any

from nola_site.mcp import reads, resources, writes
from nola_site.mcp.answers import Handler, run_tool
from nola_site.mcp.messages import Message
from nola_site.mcp.protocol import Request
from nola_site.mcp.tools import Tool

HANDLERS: dict[str, Handler] = {
    "context": reads.read_context,
    "read": reads.read_value,
    "search": reads.search,
    "write": writes.write_value,
    "edit": writes.edit_values,
    "delete": writes.delete_value,
    "history": reads.read_history,
    "undo": writes.undo_revision,
    "messages": writes.keep_messages,
}
list_resources, read_resource = resources.list_resources, resources.read_resource
get_prompt, complete = resources.get_prompt, resources.complete


def call_tool(request: Request, tool: Tool, arguments: dict[str, Any]) -> Message:
    """Call one of the nine."""
    return run_tool(HANDLERS[tool.name], request, tool, arguments)
