"""The protocol: which methods there are in which revision, and what they answer. No memory here, and no wire.

Revisions up to 2025-11-25 begin with `initialize`; since 2026-07-28 each request says for itself what it speaks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nola_site.mcp.arguments import BadArguments, check_arguments
from nola_site.mcp.messages import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Id,
    Message,
    RpcError,
    Unreadable,
    make_error,
    make_notification,
    make_result,
)
from nola_site.mcp.tools import Tool
from state.jsondoc.text import dump_json

STATELESS, BY_HANDSHAKE = "2026-07-28", ("2025-11-25", "2025-06-18")
REVISIONS = (STATELESS, *BY_HANDSHAKE)
META = "io.modelcontextprotocol/"
VERSION_KEY, CLIENT_KEY, CAPABILITIES_KEY = f"{META}protocolVersion", f"{META}clientInfo", f"{META}clientCapabilities"
SUBSCRIPTION_KEY, SERVER_KEY = f"{META}subscriptionId", f"{META}serverInfo"
UNSUPPORTED_VERSION = -32022
NO_RESOURCE = -32002  # until 2025-11-25; a wrong parameter since
MOST_CLIENT = 60  # characters of a client's name that history keeps
TTL = {  # milliseconds for which an answer may be kept
    "server/discover": 3_600_000,
    "tools/list": 3_600_000,
    "prompts/list": 3_600_000,
    "resources/templates/list": 3_600_000,
    "resources/list": 0,
    "resources/read": 0,
}

Report = Callable[[int, int, str], None]


class Backend(Protocol):
    """What does the work: loaded once something is asked of it."""

    def call_tool(self, request: "Request", tool: Tool, arguments: dict[str, Any]) -> Message: ...
    def list_resources(self, request: "Request", cursor: str | None) -> Message: ...
    def read_resource(self, request: "Request", uri: str) -> Message: ...
    def get_prompt(self, request: "Request", name: str, arguments: dict[str, Any]) -> Message: ...
    def complete(self, request: "Request", ref: Message, argument: Message) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server has: tools, prompts and templates as they are listed, and what does the work."""

    tools: Sequence[Tool]
    instructions: str
    load: Callable[[], Backend]
    prompts: Sequence[Message] = ()
    templates: Sequence[Message] = ()

    @property
    def capabilities(self) -> Message:
        """What clients may ask for."""
        more: Message = {"prompts": {}, "resources": {}, "completions": {}} if self.templates else {}
        return {"tools": {}} | more


class Wire(Protocol):
    """How messages come and go, and who is at the other end."""

    client: str  # its name, where it has said so once for all messages to come
    is_stateless: bool  # whether it is clear from the wire that there was nothing before

    def find_caller(self) -> Any: ...
    def send(self, message: Message) -> None: ...
    def listen(self, request: "Request", wanted: Message) -> None: ...


@dataclass(slots=True)
class Request:
    """One request."""

    offer: Offer
    wire: Wire
    id: Id
    method: str
    params: Message
    is_stateless: bool = False
    client: str = ""

    def report(self, done: int, total: int, text: str) -> None:
        """Tell how far it is, if that was asked for."""
        token = self.meta.get("progressToken")
        if isinstance(token, str | int):
            told = {"progressToken": token, "progress": done, "total": total, "message": text}
            self.wire.send(make_notification("notifications/progress", told))

    @property
    def meta(self) -> Message:
        """What stands beside the parameters."""
        return read_meta(self.params)

    def get_text(self, name: str) -> str:
        """A parameter that must be there. Raises RpcError."""
        value = self.params.get(name)
        if not isinstance(value, str):
            raise RpcError(INVALID_PARAMS, f"{self.method} needs {name}, a string")
        return value

    def get_object(self, name: str) -> Message:
        """A parameter that may be left out, or null. Raises RpcError."""
        value = self.params.get(name)
        if value is not None and not isinstance(value, dict):
            raise RpcError(INVALID_PARAMS, f"{name} must be an object")
        return value or {}

    @property
    def cursor(self) -> str | None:
        """Where a list goes on."""
        return self.get_text("cursor") if self.params.get("cursor") is not None else None


def answer_message(offer: Offer, message: Message, wire: Wire) -> Message | None:
    """The answer to a message; None where none is wanted."""
    id_ = message.get("id")
    if "id" not in message or ("method" not in message and ("result" in message or "error" in message)):
        return None  # a notification, or an answer to what we never ask
    try:
        request = read_request(offer, message, wire)
        result = (_STATELESS if request.is_stateless else _BY_HANDSHAKE)[request.method](request)
        return None if result is None else make_result(id_, _complete(request, result))
    except RpcError as error:
        return make_error(id_ if _is_id(id_) else None, error)


def answer_unreadable(error: Unreadable) -> Message:
    """The answer to what cannot be read: for the model, where a tool was called."""
    if error.method == "tools/call" and error.id is not None:
        place = {name: value for name, value in error.reason.members.items() if name != "pointer"}  # it is in the text
        return make_result(error.id, make_failure(f"the call cannot be read: {error}", place))
    return make_error(error.id, RpcError(PARSE_ERROR, str(error), error.reason.members or None))


def read_request(offer: Offer, message: Message, wire: Wire) -> Request:
    """A request, in the revision that it speaks. Raises RpcError."""
    method, params = message.get("method"), message.get("params")
    params = {} if params is None else params
    if message.get("jsonrpc") != "2.0" or not isinstance(method, str) or not _is_id(message["id"]):
        raise RpcError(
            INVALID_REQUEST, 'a request has "jsonrpc": "2.0", an id that is a string or number, and a method'
        )
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "params must be an object")
    meta = read_meta(params)
    is_stateless = VERSION_KEY in meta or method == "server/discover" or wire.is_stateless
    if is_stateless:
        _check_stateless(meta)
    client = read_client(meta.get(CLIENT_KEY)) if is_stateless else wire.client
    if method not in (_STATELESS if is_stateless else _BY_HANDSHAKE):
        raise RpcError(METHOD_NOT_FOUND, f"there is no method {method[:60]!r} here")
    return Request(offer, wire, message["id"], method, params, is_stateless, client)


def _check_stateless(meta: Message) -> None:
    if missing := [name for name in (VERSION_KEY, CAPABILITIES_KEY) if name not in meta]:
        raise RpcError(INVALID_PARAMS, f"params._meta lacks {' and '.join(missing)}")
    if not isinstance(meta[VERSION_KEY], str) or not isinstance(meta[CAPABILITIES_KEY], dict):
        raise RpcError(INVALID_PARAMS, f"{VERSION_KEY} is a string and {CAPABILITIES_KEY} an object")
    if meta[VERSION_KEY] != STATELESS:
        raise make_unsupported(meta[VERSION_KEY])


def make_unsupported(asked: str) -> RpcError:
    """That a revision is not spoken here."""
    data = {"supported": [*REVISIONS], "requested": asked}
    return RpcError(UNSUPPORTED_VERSION, f"revision {asked[:20]!r} is not spoken here", data)


def read_meta(params: Any) -> Message:
    """What stands beside the parameters, {} where nothing does."""
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


def read_client(info: Any) -> str:
    """The name of a client as it tells it: "claude-code 2.1"."""
    parts = [info.get(name) for name in ("name", "version")] if isinstance(info, dict) else []
    text = " ".join(part for part in parts if isinstance(part, str))
    return "".join(letter for letter in text if letter.isprintable())[:MOST_CLIENT].strip()


def make_failure(text: str, members: Mapping[str, Any] | None = None) -> Message:
    """The result of a tool that failed, for the model to act on."""
    told = {"error": text, **{name: value for name, value in (members or {}).items() if value is not None}}
    shown = text if len(told) == 1 else f"{text}\n{dump_json(dict(list(told.items())[1:]))}"
    return {"content": [{"type": "text", "text": shown}], "structuredContent": told, "isError": True}


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _complete(request: Request, result: Message) -> Message:
    """A result with what the revision wants in each."""
    if not request.is_stateless:
        return result
    kept = {"ttlMs": TTL[request.method], "cacheScope": "private"} if request.method in TTL else {}
    return {"resultType": "complete"} | result | kept


# Methods


def _introduce() -> Message:
    return {"name": "nola", "title": "Nola", "version": "1"}  # that of the API


def _initialize(request: Request) -> Message:
    asked = request.params.get("protocolVersion")
    request.wire.client = read_client(request.params.get("clientInfo"))
    return {
        "protocolVersion": asked if asked in BY_HANDSHAKE else BY_HANDSHAKE[0],
        "capabilities": request.offer.capabilities,
        "serverInfo": _introduce(),
        "instructions": request.offer.instructions,
    }


def _discover(request: Request) -> Message:
    return {
        "supportedVersions": [*REVISIONS],
        "capabilities": request.offer.capabilities,
        "instructions": request.offer.instructions,
        "_meta": {SERVER_KEY: _introduce()},
    }


def _ping(request: Request) -> Message:
    return {}


def _list_tools(request: Request) -> Message:
    return {"tools": [tool.describe() for tool in request.offer.tools]}


def _call_tool(request: Request) -> Message:
    name, arguments = request.get_text("name"), request.get_object("arguments")
    tool = next((tool for tool in request.offer.tools if tool.name == name), None)
    if tool is None:
        known = ", ".join(tool.name for tool in request.offer.tools)
        raise RpcError(INVALID_PARAMS, f"there is no tool {name[:60]!r}; there are: {known}")
    try:
        return request.offer.load().call_tool(request, tool, check_arguments(tool.schema, arguments))
    except BadArguments as error:
        return make_failure(str(error))


def _list_templates(request: Request) -> Message:
    return {"resourceTemplates": [*request.offer.templates]}


def _list_resources(request: Request) -> Message:
    return request.offer.load().list_resources(request, request.cursor)


def _read_resource(request: Request) -> Message:
    return request.offer.load().read_resource(request, request.get_text("uri"))


def no_resource(request: Request, uri: str) -> RpcError:
    """That a resource is not there, in the words of the revision."""
    code = INVALID_PARAMS if request.is_stateless else NO_RESOURCE
    return RpcError(code, f"there is no resource {uri[:200]!r}", {"uri": uri})


def _list_prompts(request: Request) -> Message:
    return {"prompts": [*request.offer.prompts]}


def _get_prompt(request: Request) -> Message:
    name = request.get_text("name")
    if name not in [prompt["name"] for prompt in request.offer.prompts]:
        raise RpcError(INVALID_PARAMS, f"there is no prompt {name[:60]!r}")
    return request.offer.load().get_prompt(request, name, request.get_object("arguments"))


def _complete_argument(request: Request) -> Message:
    ref, argument = request.get_object("ref"), request.get_object("argument")
    if not isinstance(argument.get("name"), str) or not isinstance(argument.get("value"), str):
        raise RpcError(INVALID_PARAMS, "argument needs a name and a value, both strings")
    found = request.offer.load().complete(request, ref, argument)
    return {"completion": {"values": [*found[:100]], "hasMore": len(found) > 100}}


def _listen(request: Request) -> None:
    request.wire.listen(request, request.get_object("notifications"))


_BOTH: dict[str, Callable[[Request], Message | None]] = {
    "tools/list": _list_tools,
    "tools/call": _call_tool,
    "resources/list": _list_resources,
    "resources/templates/list": _list_templates,
    "resources/read": _read_resource,
    "prompts/list": _list_prompts,
    "prompts/get": _get_prompt,
    "completion/complete": _complete_argument,
}
_BY_HANDSHAKE = {"initialize": _initialize, "ping": _ping, **_BOTH}
_STATELESS = {"server/discover": _discover, "subscriptions/listen": _listen, **_BOTH}
NEEDS_NO_MEMORY = {"initialize", "ping", "server/discover", "tools/list", "prompts/list", "resources/templates/list"}
