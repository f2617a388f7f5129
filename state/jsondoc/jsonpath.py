"""JSONPath (RFC 9535) over the whole state, read only.

The library reads and walks the query. What is ours, by its hooks: a budget of nodes and of time (its own filters may
walk everything for everything), regular expressions that stop in time, `$` inside a nested filter meaning the whole
state, integer literals taken exactly, and equality as JSON Patch has it: 1 is 1.0 and not true, also inside arrays.

What can still take longer than the budget: a single comparison of two large arrays or objects (about a second for a
million leaves), and compiling one regular expression (milliseconds).
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import regex  # type: ignore[import-untyped]
from iregexp_check import check as is_iregexp
from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError, JSONPathNode, JSONPathNodeList, JSONPathSyntaxError
from jsonpath_rfc9535.environment import JSONValue as Data
from jsonpath_rfc9535.filter_expressions import (
    NOTHING,
    ComparisonExpression,
    Expression,
    FilterContext,
    FilterExpression,
    FilterQuery,
    IntegerLiteral,
    RelativeFilterQuery,
    RootFilterQuery,
)
from jsonpath_rfc9535.function_extensions import ExpressionType, FilterFunction
from jsonpath_rfc9535.parse import Parser
from jsonpath_rfc9535.query import JSONPathQuery
from jsonpath_rfc9535.selectors import FilterSelector
from jsonpath_rfc9535.tokens import TokenStream

from state.jsondoc.errors import Malformed
from state.jsondoc.patch import equal_values
from state.jsondoc.pointer import format_pointer
from state.jsondoc.text import MAX_DEPTH, JSONValue, dump_json

MAX_QUERY = 1000
MAX_LIMIT = 1000
MAX_NODES = 1_000_000
MAX_SECONDS = 2.0
MAX_TEXT = 16 * 1024 * 1024

Locate = Callable[[Sequence[str | int]], Sequence[str]]

_DOT = re.compile(r"\\.|\[(?:\\.|[^\\\]])*\]|\.", re.DOTALL)  # a dot outside of escapes and classes, or one of those


class BadQuery(Malformed):
    """A query that is no JSONPath or costs too much. `position` counts its characters from 0; None: not one place."""

    def __init__(self, reason: str, position: int | None = None) -> None:
        place = "" if position is None else f"at character {position + 1} of the query: "
        super().__init__(place + reason)
        self.reason, self.position = reason, position


class QueryMatch(NamedTuple):
    """A node that was found: its normalized path, the pointer where it is read (first the key), its text."""

    path: str
    pointer: str
    text: str


class QueryResult(NamedTuple):
    """What a query found, in the order of the state; `more` says that there is more than was asked for or fits."""

    matches: list[QueryMatch]
    more: bool

    @property
    def text(self) -> str:
        """The answer as compact JSON."""
        rows = (
            f'{{"path":{dump_json(found.path)},"pointer":{dump_json(found.pointer)},"value":{found.text}}}'
            for found in self.matches
        )
        return f'{{"results":[{",".join(rows)}],"more":{"true" if self.more else "false"}}}'


def _as_it_stands(location: Sequence[str | int]) -> list[str]:
    return [str(token) for token in location]


def parse_limit(text: str) -> int:
    """The number of results a query parameter asks for. Raises BadQuery."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= number <= MAX_LIMIT:
        raise BadQuery(f"limit is a whole number from 1 to {MAX_LIMIT}, not {text[:40]!r}")
    return number


def select_nodes(
    documents: Mapping[str, JSONValue], path: str, limit: int = 100, place: Locate = _as_it_stands
) -> QueryResult:
    """The first nodes that a JSONPath selects, $ being the object of all keys. Raises BadQuery.

    `place` says where a node of these documents is stored, if that is elsewhere; pointers lead there.
    """
    _check(path)
    try:
        environment = _Environment(dict(documents))
        return _taken(_Query(environment, environment.compile(path)).finditer(environment.root), limit, place)
    except JSONPathError as error:
        token = error.token
        position = None if token is None else token.index if token.index >= 0 else len(path)
        raise BadQuery(str(error.args[0]), position) from None
    except RecursionError:
        raise BadQuery("the query nests too deep or has too many steps") from None


def _check(path: str) -> None:
    if len(path) > MAX_QUERY:
        raise BadQuery(f"the query has {len(path):,} characters; {MAX_QUERY:,} are allowed")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise BadQuery("half of a surrogate pair is not a character", error.start) from None


def _taken(nodes: Iterable[JSONPathNode], limit: int, place: Locate) -> QueryResult:
    matches: list[QueryMatch] = []
    room = MAX_TEXT
    for node in nodes:
        if len(matches) == limit:
            return QueryResult(matches, more=True)
        text = dump_json(node.value)
        room -= len(text)
        if room < 0 and matches:  # nested results repeat each other's text; a first one is given whatever its size
            return QueryResult(matches, more=True)
        matches.append(QueryMatch(node.path(), format_pointer(place(node.location)), text))
    return QueryResult(matches, more=False)


class _Budget:
    """What one query may still cost."""

    def __init__(self) -> None:
        self.nodes = MAX_NODES
        self.deadline = time.thread_time() + MAX_SECONDS

    def spend(self) -> None:
        self.nodes -= 1
        if self.nodes < 0:
            raise BadQuery(f"the query looks at more than {MAX_NODES:,} nodes; make it narrower")
        self.seconds_left()

    def seconds_left(self) -> float:
        left = self.deadline - time.thread_time()
        if left <= 0:
            raise BadQuery(f"the query takes longer than {MAX_SECONDS:g} s of work; make it narrower")
        return left


class _Environment(JSONPathEnvironment):
    """The library's settings for one query over one state."""

    max_recursion_depth = MAX_DEPTH + 2  # the object of all keys lies around the documents

    def __init__(self, root: dict[str, JSONValue]) -> None:
        self.parser_class = _Parser
        self.root: Data = root
        self.budget = _Budget()
        super().__init__()

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions["match"] = _Pattern(regex.fullmatch, self.budget)
        self.function_extensions["search"] = _Pattern(regex.search, self.budget)


class _Node(JSONPathNode):
    """A node whose children are counted."""

    __slots__ = ("budget",)
    budget: _Budget

    def new_child(self, value: object, key: int | str, parent: JSONPathNode | None) -> JSONPathNode:
        self.budget.spend()
        child = _Node(value=value, location=(*self.location, key), parent=parent, root=self.root)
        child.budget = self.budget
        return child


class _Query(JSONPathQuery):
    """A query, or one inside a filter, that counts its nodes and knows the whole state as `$`."""

    __slots__ = ("environment",)

    def __init__(self, environment: _Environment, query: JSONPathQuery) -> None:
        super().__init__(env=environment, segments=query.segments)
        self.environment = environment

    def finditer(self, value: Data) -> Iterable[JSONPathNode]:
        top = _Node(value=value, location=(), parent=None, root=self.environment.root)
        top.budget = self.environment.budget
        nodes: Iterable[JSONPathNode] = [top]
        for segment in self.segments:
            nodes = segment.resolve(nodes)
        return nodes


class _Filter(FilterExpression):
    """A filter whose evaluations are counted."""

    __slots__ = ("budget",)

    def __init__(self, filter_: FilterExpression, budget: _Budget) -> None:
        super().__init__(filter_.token, filter_.expression)
        self.budget = budget

    def evaluate(self, context: FilterContext) -> bool:
        self.budget.spend()
        return super().evaluate(context)


class _Comparison(ComparisonExpression):
    """A comparison by JSON value (RFC 9535 §2.3.5.2.2)."""

    __slots__ = ("budget",)

    def __init__(self, comparison: ComparisonExpression, budget: _Budget) -> None:
        super().__init__(comparison.token, comparison.left, comparison.operator, comparison.right)
        self.budget = budget

    def evaluate(self, context: FilterContext) -> bool:
        self.budget.seconds_left()
        return _compare(_single(self.left.evaluate(context)), self.operator, _single(self.right.evaluate(context)))


class _Relative(RelativeFilterQuery):
    """A query from `@`, which is a node also when it is a scalar: 0 and false exist (RFC 9535 §2.3.5.2.1)."""

    __slots__ = ()

    def evaluate(self, context: FilterContext) -> object:
        if self.query.segments and not isinstance(context.current, dict | list):
            return JSONPathNodeList()
        return self.query.find(context.current)  # type: ignore[arg-type]


class _Pattern(FilterFunction):
    """match() or search() (RFC 9535 §2.4.6, §2.4.7): an I-Regexp (RFC 9485), stopped when the query's time is over."""

    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]
    return_type = ExpressionType.LOGICAL

    def __init__(self, apply: Callable[..., object], budget: _Budget) -> None:
        self.apply, self.budget = apply, budget

    def __call__(self, text: object, pattern: object) -> bool:
        if not isinstance(text, str) or not isinstance(pattern, str):
            return False
        if len(pattern) > MAX_QUERY or not is_iregexp(pattern):
            return False
        dotted = _DOT.sub(lambda part: r"[^\n\r]" if part[0] == "." else part[0], pattern)
        try:
            return bool(self.apply(dotted, text, timeout=self.budget.seconds_left()))
        except regex.error:
            return False
        except TimeoutError:
            raise BadQuery(f"a regular expression takes longer than {MAX_SECONDS:g} s; make it simpler") from None


class _Parser(Parser):
    """The library's parser, making our kinds of node."""

    env: _Environment

    def parse_filter_selector(self, stream: TokenStream) -> FilterSelector:
        selector = super().parse_filter_selector(stream)
        selector.expression = _Filter(selector.expression, self.env.budget)
        return selector

    def parse_infix_expression(self, stream: TokenStream, left: Expression) -> Expression:
        expression = super().parse_infix_expression(stream, left)
        if isinstance(expression, ComparisonExpression):
            return _Comparison(expression, self.env.budget)
        return expression

    def parse_relative_query(self, stream: TokenStream) -> Expression:
        return self._counted(_Relative, super().parse_relative_query(stream))

    def parse_root_query(self, stream: TokenStream) -> Expression:
        return self._counted(RootFilterQuery, super().parse_root_query(stream))

    def parse_integer_literal(self, stream: TokenStream) -> Expression:
        """Exactly, however large (RFC 9535 §2.3.5.1)."""
        token = stream.current
        digits, _, exponent = token.value.lower().partition("e")
        if digits.lstrip("-") != "0" and digits.lstrip("-").startswith("0"):
            raise JSONPathSyntaxError("a number does not begin with 0", token=token)
        power = int(exponent or 0)
        if power > 308:
            raise JSONPathSyntaxError("the number is too large for a double", token=token)
        return IntegerLiteral(token, int(digits) * 10**power)

    def _counted(self, kind: type[FilterQuery], expression: Expression) -> FilterQuery:
        assert isinstance(expression, FilterQuery)
        return kind(expression.token, _Query(self.env, expression.query))


def _single(operand: object) -> object:
    """The value of an operand: literals and function results are one, queries give one node or nothing."""
    if isinstance(operand, JSONPathNodeList):
        return operand[0].value if operand else NOTHING
    return operand


def _compare(left: object, operator: str, right: object) -> bool:
    match operator:
        case "==" | "!=":
            return _equal(left, right) == (operator == "==")
        case "<" | "<=":
            return _less(left, right) or (operator == "<=" and _equal(left, right))
        case _:
            return _less(right, left) or (operator == ">=" and _equal(left, right))


def _equal(left: Any, right: Any) -> bool:
    return left is right or equal_values(left, right)


def _less(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    both_numbers = isinstance(left, int | float) and isinstance(right, int | float)
    return (both_numbers or (isinstance(left, str) and isinstance(right, str))) and left < right
