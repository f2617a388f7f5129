"""`POST /mcp`: the protocol over HTTP, one message a request, nothing kept between them.

A call comes in by API key, past the same checks as any call of the API. Where a client gives its name only once, in
`initialize`, the session id that it is given, and sends with each message, is that name.
"""

import base64
import binascii
import secrets
from functools import partial

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ninja.errors import AuthenticationError

from access import rates
from access.auth import Follower, KeyAuth
from access.rights import needs
from nola_site.mcp import listen
from nola_site.mcp.callers import Caller
from nola_site.mcp.messages import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Message,
    RpcError,
    Unreadable,
    make_error,
    read_message,
    write_message,
)
from nola_site.mcp.offer import NOLA
from nola_site.mcp.protocol import (
    BY_HANDSHAKE,
    MOST_CLIENT,
    STATELESS,
    UNSUPPORTED_VERSION,
    VERSION_KEY,
    Offer,
    Request,
    answer_message,
    answer_unreadable,
    make_unsupported,
    read_meta,
)
from nola_site.serving.problems import answer_problem
from state.api.changes import LIVE

JSON, STREAM = "application/json", "text/event-stream"
HEADER_MISMATCH = -32020
NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}  # what the header Mcp-Name repeats
STATUS = dict.fromkeys((PARSE_ERROR, INVALID_REQUEST, -32602, HEADER_MISMATCH, -32021, UNSUPPORTED_VERSION), 400)
STATUS[METHOD_NOT_FOUND] = 404
UNKNOWN_KEY = "Send an API key as Authorization: Bearer <key>"

# Each tool says what it needs, whether it heeds limits, and whether it writes
authenticate = KeyAuth(needs(heeds_limits=True), has_reads=True)


class HttpWire:
    """One request: what is sent before its answer is sent with it."""

    def __init__(self, request: HttpRequest, caller: Caller) -> None:
        self.request, self.caller = request, caller
        self.client = read_session(request.headers.get("Mcp-Session-Id", ""))
        self.is_stateless = request.headers.get("Mcp-Protocol-Version") == STATELESS
        self.sent: list[Message] = []
        self.stream: HttpResponse | None = None

    def find_caller(self) -> Caller:
        """Whose key came in."""
        return self.caller

    def send(self, message: Message) -> None:
        """Keep a message for the answer."""
        self.sent.append(message)

    def listen(self, request: Request, wanted: Message) -> None:
        """Answer with a stream. Raises RpcError."""
        follower = Follower(self.request.credential, self.caller.grant)  # type: ignore[attr-defined]
        listen.open_stream(request, wanted, self.caller, follower, self.request.META.get(LIVE))
        self.stream = HttpResponse(content_type=STREAM)


@csrf_exempt  # there is no cookie that would let anybody in
def answer(request: HttpRequest, offer: Offer = NOLA) -> HttpResponse:
    """The answer to one message."""
    if request.method != "POST":
        return answer_problem(405, "Messages are posted; there is no session to read from or to end", {"Allow": "POST"})
    if not is_own_origin(request):
        return answer_problem(403, "Pages of other origins may not call this server")
    try:
        caller = find_caller(request)
    except AuthenticationError as error:
        return answer_problem(401, str(error), {"WWW-Authenticate": "Bearer"})
    return answer_body(request, offer, HttpWire(request, caller))


def answer_body(request: HttpRequest, offer: Offer, wire: HttpWire) -> HttpResponse:
    """The answer to the message of a request that came in."""
    try:
        message = read_message(request.body)
        if refused := check_headers(request, message):
            raise refused
    except Unreadable as error:
        refusal = answer_unreadable(error)
        return _reply(refusal, 200 if "result" in refusal else 400)
    except RpcError as error:
        return _reply(make_error(None, error), 400)
    except _Mismatch as error:
        return _reply(make_error(message.get("id"), error.error), 400)
    told = answer_message(offer, message, wire)
    if wire.stream is not None:
        return wire.stream
    if told is None:
        return HttpResponse(status=202)
    response = _with_notices(request, wire, told) if wire.sent else _reply(told, _status(wire, told))
    if message.get("method") == "initialize" and "result" in told:
        response["Mcp-Session-Id"] = format_session(wire.client)
    return response


def find_caller(request: HttpRequest) -> Caller:
    """Whose key came in. Raises AuthenticationError."""
    actor = authenticate(request)
    if actor is None:
        raise AuthenticationError(message=UNKNOWN_KEY)
    return Caller(actor, request.grant, partial(rates.check, actor))  # type: ignore[attr-defined]  # KeyAuth has put it there


def is_own_origin(request: HttpRequest) -> bool:
    """Whether no page of another origin asks: a browser sends its origin, other clients need not."""
    origin = request.headers.get("Origin")
    return origin is None or origin in (f"{request.scheme}://{request.get_host()}", settings.NOLA_PUBLIC_URL)


# Headers


class _Mismatch(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.error = RpcError(HEADER_MISMATCH, text)


def check_headers(request: HttpRequest, message: Message) -> Exception | None:
    """What is wrong with the headers, beside the message that they go with; None where nothing is."""
    sent = request.headers.get("Mcp-Protocol-Version")
    meta = read_meta(message.get("params"))
    if VERSION_KEY not in meta and sent != STATELESS:
        known = sent is None or sent in BY_HANDSHAKE or message.get("method") in ("initialize", "server/discover")
        return None if known else make_unsupported(sent or "")
    if "id" not in message or VERSION_KEY not in meta:
        return None  # a notification, or a request that lacks what it must say: that is told next
    if sent != meta[VERSION_KEY]:
        return _Mismatch("the header MCP-Protocol-Version and the revision in params._meta differ")
    if request.headers.get("Mcp-Method") != message.get("method"):
        return _Mismatch("the header Mcp-Method and the method differ")
    name = NAMES.get(str(message.get("method")))
    value = message["params"].get(name) if name else None
    if value is not None and decode_header(request.headers.get("Mcp-Name")) != value:
        return _Mismatch(f"the header Mcp-Name and the {name} in params differ")
    return None


def decode_header(value: str | None) -> str | None:
    """A header that may be written as =?base64?...?=; None where that cannot be read."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except ValueError:  # not UTF-8, or no base64
        return None


def format_session(client: str) -> str:
    """A session id that holds the name of the client and nothing else."""
    return f"{secrets.token_urlsafe(9)}.{base64.urlsafe_b64encode(client.encode()).decode().rstrip('=')}"


def read_session(session: str) -> str:
    """The name in a session id, "" where there is none. Who comes in is a matter of the key alone."""
    name = session.partition(".")[2]
    try:
        text = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode() if len(name) < 400 else ""
    except (binascii.Error, ValueError):
        return ""
    return text[:MOST_CLIENT] if text.isprintable() else ""


# Answers


def _status(wire: HttpWire, told: Message) -> int:
    """Since 2026-07-28 errors have a status of their own."""
    code = told.get("error", {}).get("code")
    return STATUS.get(code, 200) if wire.is_stateless or code == UNSUPPORTED_VERSION else 200


def _reply(message: Message, status: int = 200) -> HttpResponse:
    return HttpResponse(write_message(message), status=status, content_type=JSON)


def _with_notices(request: HttpRequest, wire: HttpWire, told: Message) -> HttpResponse:
    """An answer behind what was to be told before it, for those who take a stream."""
    if STREAM not in request.META.get("HTTP_ACCEPT", ""):
        return _reply(told)
    return HttpResponse(b"".join(map(listen.format_event, [*wire.sent, told])), content_type=STREAM)
