"""`subscriptions/listen`: which resources changed, told from the change feed for as long as somebody listens."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from access.rights import NotAllowed, Right, needs
from nola_site.mcp.callers import Caller
from nola_site.mcp.messages import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    Id,
    Message,
    RpcError,
    make_notification,
    make_result,
    write_message,
)
from nola_site.mcp.protocol import SUBSCRIPTION_KEY, Request
from nola_site.mcp.resources import parse_uri
from state.errors import Refusal
from state.history import events, feed
from state.history.events import FeedFilter
from state.history.feed import Cursor, Follow
from state.history.sight import Sight, see_by

NEEDS = needs(Right.READ_STATE, Right.READ_HISTORY, heeds_limits=True)
PAGE = 100


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one listener wants to hear of: keys by their address, and whether keys come and go."""

    id: Id
    uris: dict[str, str]  # as it was asked for, by key
    wants_list: bool
    sight: Sight

    @property
    def filter(self) -> FeedFilter:
        """Of the feed, what can be meant. Raises TooManyAddresses."""
        return events.make_filter([] if self.wants_list else self.uris, [], self.sight)

    @property
    def shown(self) -> FeedFilter:
        """The same; nothing, where nothing was asked for."""
        return self.filter if self.uris or self.wants_list else NOTHING

    def acknowledge(self) -> Message:
        """What is told first: what will be told."""
        wanted: Message = {"resourceSubscriptions": list(self.uris.values())} if self.uris else {}
        wanted |= {"resourcesListChanged": True} if self.wants_list else {}
        return self._notify("notifications/subscriptions/acknowledged", {"notifications": wanted})

    def end(self) -> Message:
        """What is told last: the answer to the request."""
        return make_result(self.id, {"resultType": "complete", "_meta": {SUBSCRIPTION_KEY: self.id}})

    def tell(self, event: dict[str, Any]) -> Iterator[Message]:
        """What a revision means to the listener."""
        changes = [change for change in event["changes"] if change["kind"] == "state"]
        for key in dict.fromkeys(change["key"] for change in changes):
            if key in self.uris:
                yield self._notify("notifications/resources/updated", {"uri": self.uris[key]})
        if self.wants_list and any(map(_comes_or_goes, changes)):
            yield self._notify("notifications/resources/list_changed", {})

    def tell_all(self) -> Iterator[Message]:
        """That everything may have changed."""
        for uri in self.uris.values():
            yield self._notify("notifications/resources/updated", {"uri": uri})
        if self.wants_list:
            yield self._notify("notifications/resources/list_changed", {})

    def _notify(self, method: str, params: Message) -> Message:
        return make_notification(method, params | {"_meta": {SUBSCRIPTION_KEY: self.id}})


def _comes_or_goes(change: dict[str, Any]) -> bool:
    """Whether a key is new or gone; it may be, where the feed does not tell the patch."""
    patch = change.get("patch")
    return not isinstance(patch, list) or any(op["path"] == "" and op["op"] in ("add", "remove") for op in patch)


def subscribe(request: Request, wanted: Message, caller: Caller) -> Subscription:
    """What a listener asks for. Raises RpcError."""
    try:
        NEEDS.check(caller.grant)
    except NotAllowed as error:
        raise RpcError(INVALID_REQUEST, str(error)) from None
    asked = wanted.get("resourceSubscriptions") or []
    if not isinstance(asked, list) or not all(isinstance(uri, str) for uri in asked):
        raise RpcError(INVALID_PARAMS, "resourceSubscriptions must be an array of addresses")
    uris = {key: uri for uri in asked if (key := parse_uri(uri)) is not None}
    subscription = Subscription(request.id, uris, wanted.get("resourcesListChanged") is True, see_by(caller.grant))
    try:
        assert subscription.filter is not None
    except Refusal as error:
        raise RpcError(INVALID_PARAMS, error.detail) from None
    return subscription


# Over HTTP, where the server follows the feed for many


@dataclass(frozen=True, slots=True)
class Translation:
    """How a stream of the feed is told to a listener: as messages of the protocol."""

    subscription: Subscription

    def greet(self) -> bytes:
        """The beginning of the stream."""
        return format_event(self.subscription.acknowledge())

    def translate(self, text: bytes) -> bytes:
        """Events of the feed as what they mean to the listener."""
        lines = (line.removeprefix(b"data: ") for line in text.split(b"\n") if line.startswith(b"data: "))
        return b"".join(format_event(told) for line in lines for told in self.subscription.tell(json.loads(line)))

    def start_over(self) -> bytes:
        """All that may be another one, now that the history is."""
        return b"".join(map(format_event, self.subscription.tell_all()))

    def end(self) -> bytes:
        """The end of the stream."""
        return format_event(self.subscription.end())


def format_event(message: Message) -> bytes:
    """A message as a server-sent event."""
    return b"event: message\ndata: " + write_message(message) + b"\n\n"


def open_stream(request: Request, wanted: Message, caller: Caller, follower: Any, live: Any) -> None:
    """Let the server follow the feed from now on. Raises RpcError."""
    if live is None:
        raise RpcError(INTERNAL_ERROR, "streams are not served here; start Nola with ./nola serve")
    subscription = subscribe(request, wanted, caller)
    live.follow(Follow(subscription.shown, feed.read_head(), follower, told_as=Translation(subscription)))


NOTHING = events.make_filter([""], [])  # there is no key without a name


# Over standard output, where one process looks for itself


class Listeners:
    """All who listen through one process; `find_caller` says who they are by now."""

    def __init__(self, send: Callable[[Message], None], find_caller: Callable[[], Caller]) -> None:
        self.send, self.find_caller = send, find_caller
        self.open: dict[Id, Subscription] = {}
        self.at = Cursor("", 0)

    def add(self, subscription: Subscription) -> None:
        """Begin to tell."""
        if not self.open:
            self.at = feed.read_head()
        self.open[subscription.id] = subscription
        self.send(subscription.acknowledge())

    def remove(self, id_: Id) -> bool:
        """Stop telling; whether there was anybody to tell."""
        return self.open.pop(id_, None) is not None

    def look(self) -> None:
        """Tell what is new, to who may still hear of it."""
        newest = feed.read_head()
        if not self.open or newest == self.at:
            return
        if not self._may_listen():
            self._send_all(one.end() for one in self.open.values())
            self.open.clear()
        if self.at.epoch not in (newest.epoch, ""):  # another history; the first revision of a new store is none
            self.at = newest
            self._send_all(told for one in self.open.values() for told in one.tell_all())
        self.at = self.at._replace(epoch=newest.epoch)
        if self.at.seq < newest.seq:
            for one in [*self.open.values()]:
                self._tell(one, newest)
            self.at = newest

    def _tell(self, one: Subscription, newest: Cursor) -> None:
        at = self.at
        while at.seq < newest.seq:
            page = feed.read_page(one.shown, at, newest, PAGE)
            at = page.cursor
            self._send_all(told for _, text in page.events for told in one.tell(json.loads(text)))

    def _may_listen(self) -> bool:
        try:
            return NEEDS.suffices(self.find_caller().grant)
        except NotAllowed:
            return False

    def _send_all(self, messages: Iterable[Message]) -> None:
        for told in messages:
            self.send(told)
