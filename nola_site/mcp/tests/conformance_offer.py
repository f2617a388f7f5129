"""What the conformance suite wants to find: its own tools, resources and prompts, behind our protocol and our wire.

It sends no key, so that this door is open; it is one of tests only.
"""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from access.auth import KeyCredential
from access.rights import Grant, Right, needs
from nola_site import urls
from nola_site.mcp import http
from nola_site.mcp.callers import Caller
from nola_site.mcp.messages import RpcError
from nola_site.mcp.protocol import Offer, no_resource
from nola_site.mcp.tools import Tool

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
TEXT = {"type": "text", "text": "This is a simple text response for testing."}
IMAGE = {"type": "image", "data": PIXEL, "mimeType": "image/png"}
AUDIO = {"type": "audio", "data": SILENCE, "mimeType": "audio/wav"}
EMBEDDED = {
    "type": "resource",
    "resource": {"uri": "test://embedded-resource", "mimeType": "text/plain", "text": "This is an embedded resource."},
}
CONTENT = {
    "test_simple_text": [TEXT],
    "test_image_content": [IMAGE],
    "test_audio_content": [AUDIO],
    "test_embedded_resource": [EMBEDDED],
    "test_multiple_content_types": [TEXT, IMAGE, EMBEDDED],
    "test_tool_with_progress": [TEXT],
    "test_logging_tool": [TEXT],
    "test_streaming_elicitation": [TEXT],
}
FAILED = {
    "content": [{"type": "text", "text": "This tool intentionally returns an error for testing"}],
    "isError": True,
}
PROMPTS = [
    {
        "name": name,
        "description": f"{name} of the suite",
        "arguments": [{"name": one, "required": True} for one in arguments],
    }
    for name, arguments in {
        "test_simple_prompt": [],
        "test_prompt_with_arguments": ["arg1", "arg2"],
        "test_prompt_with_embedded_resource": ["resourceUri"],
        "test_prompt_with_image": [],
    }.items()
]


def call_tool(request, tool, arguments):
    if tool.name == "test_error_handling":
        return FAILED
    if tool.name == "test_missing_capability":
        raise RpcError(-32021, "it needs sampling", {"requiredCapabilities": {"sampling": {}}})
    if tool.name == "test_tool_with_progress":
        for done in (0, 50, 100):
            request.report(done, 100, "working")
    return {"content": CONTENT[tool.name]}


def list_resources(request, cursor):
    return {"resources": [{"uri": f"test://static-{kind}", "name": kind} for kind in ("text", "binary")]}


def read_resource(request, uri):
    if uri == "test://static-text":
        found = {"mimeType": "text/plain", "text": "This is the content of the static text resource."}
    elif uri == "test://static-binary":
        found = {"mimeType": "image/png", "blob": PIXEL}
    elif uri.startswith("test://template/"):
        found = {"mimeType": "application/json", "text": f'{{"id":"{uri.split("/")[3]}"}}'}
    else:
        raise no_resource(request, uri)
    return {"contents": [{"uri": uri, **found}]}


def get_prompt(request, name, arguments):
    content = {
        "test_simple_prompt": [{"type": "text", "text": "This is a simple prompt for testing."}],
        "test_prompt_with_arguments": [
            {"type": "text", "text": "Prompt with {arg1} and {arg2}".format_map(Known(arguments))}
        ],
        "test_prompt_with_embedded_resource": [
            {
                "type": "resource",
                "resource": {"uri": arguments.get("resourceUri", ""), "mimeType": "text/plain", "text": "Embedded."},
            },
            {"type": "text", "text": "Please process the embedded resource above."},
        ],
        "test_prompt_with_image": [IMAGE, {"type": "text", "text": "Please analyze the image above."}],
    }[name]
    return {"messages": [{"role": "user", "content": one} for one in content]}


class Known(dict):
    def __missing__(self, name):
        return name


def complete(request, ref, argument):
    return ["paris", "park", "party"]


class Backend:
    call_tool, list_resources, read_resource = map(staticmethod, (call_tool, list_resources, read_resource))
    get_prompt, complete = map(staticmethod, (get_prompt, complete))


NAMES = (*CONTENT, "test_error_handling", "test_missing_capability")
TOOLS = [Tool(name, f"{name} of the suite", {}, needs(), {}) for name in NAMES]
OFFER = Offer(
    TOOLS, "For the suite alone.", Backend, PROMPTS, [{"uriTemplate": "test://template/{id}/data", "name": "template"}]
)


@csrf_exempt
def answer(request: HttpRequest) -> HttpResponse:
    """As `http.answer`, but for the key."""
    if request.method != "POST" or not http.is_own_origin(request):
        return http.answer(request)
    caller = Caller("key:suite", Grant("The suite", "nowhere", frozenset(Right)))
    request.credential = KeyCredential(0, "")
    return http.answer_body(request, OFFER, http.HttpWire(request, caller))


urlpatterns = [path("mcp", answer), *urls.urlpatterns]  # the pages of refusals lead to others
