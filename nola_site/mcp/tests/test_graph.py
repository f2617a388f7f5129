"""`--compat memory`: the tools of the reference memory server, with what it loses kept."""

import io
import json

import pytest

from nola_site.mcp.graph import NoGraph, add_observations, delete_observations, make_graph, read_line, take_in
from nola_site.mcp.graph_tools import make_offer
from nola_site.mcp.stdio import StdioServer
from nola_site.mcp.tests.test_stdio import HELLO, line, start, tool
from state import store
from state.address import Address
from state.jsondoc.text import parse_json
from state.models import Revision
from state.revisions import Author, Source
from tests.server import lay

ADA = {"name": "Ada", "entityType": "person", "observations": ["likes tea"]}
BOB = {"name": "Bob", "entityType": "person", "observations": []}
KNOWS = {"from": "Ada", "to": "Bob", "relationType": "knows"}


class Graph:
    """A server of the nine tools, in this process."""

    def __init__(self):
        self.output = io.BytesIO()
        self.server = StdioServer(make_offer("Graph"), None, io.BytesIO(), self.output)
        self.server.is_ready = True

    def call(self, name, **arguments):
        self.output.seek(0)
        self.output.truncate()
        self.server._answer(tool(1, name, **arguments))
        return json.loads(self.output.getvalue())["result"]

    def use(self, name, **arguments):
        result = self.call(name, **arguments)
        assert not result["isError"], result
        return {member: value for member, value in result["structuredContent"].items() if member != "revision"}


@pytest.fixture
def graph(db, monkeypatch):
    monkeypatch.setattr("nola_site.mcp.stdio.explain_missing", lambda: "")
    monkeypatch.setattr("nola_site.mcp.stdio.identify_database", lambda: None)
    return Graph()


@pytest.fixture
def people(graph):
    graph.use("create_entities", entities=[ADA, BOB])
    graph.use("create_relations", relations=[KNOWS])
    return graph


def test_what_was_created_is_read_again(people):
    assert people.use("read_graph") == {"entities": [ADA, BOB], "relations": [KNOWS]}


def test_the_list_of_its_tools_is_that_of_the_reference(graph):
    names = [one.name for one in graph.server.offer.tools]

    assert names == [
        "create_entities", "create_relations", "add_observations", "delete_entities", "delete_observations",
        "delete_relations", "read_graph", "search_nodes", "open_nodes",
    ]  # fmt: skip
    assert len(json.dumps([one.describe() for one in graph.server.offer.tools])) < 5000
    assert graph.server.offer.capabilities == {"tools": {}}


def test_what_is_there_is_not_created_again(people):
    before = store.head()

    assert people.use("create_entities", entities=[{**ADA, "observations": ["other"]}]) == {"entities": []}
    assert people.use("create_relations", relations=[KNOWS]) == {"relations": []}
    assert people.use("add_observations", observations=[{"entityName": "Ada", "contents": ["likes tea"]}]) == {
        "results": [{"entityName": "Ada", "addedObservations": []}]
    }
    assert store.head() == before


def test_members_that_nobody_knows_are_kept(graph):
    entity = {**ADA, "source": {"page": 3}}
    relation = {**KNOWS, "since": 2020}
    graph.use("create_entities", entities=[entity, BOB])
    graph.use("create_relations", relations=[relation])
    graph.use("add_observations", observations=[{"entityName": "Ada", "contents": ["plays chess"]}])

    read = graph.use("open_nodes", names=["Ada"])

    assert read == {"entities": [{**entity, "observations": ["likes tea", "plays chess"]}], "relations": [relation]}


def test_what_is_deleted_goes_with_its_relations(people):
    assert people.use("delete_observations", deletions=[{"entityName": "Ada", "observations": ["likes tea", "?"]}]) == {
        "deleted": 1
    }
    assert people.use("delete_entities", entityNames=["Bob", "Nobody"]) == {"deleted": 1}
    assert people.use("read_graph") == {"entities": [{**ADA, "observations": []}], "relations": []}


def test_a_relation_is_deleted_alone(people):
    assert people.use("delete_relations", relations=[KNOWS]) == {"deleted": 1}
    assert people.use("read_graph") == {"entities": [ADA, BOB], "relations": []}


@pytest.mark.parametrize(
    ("query", "found"), [("TEA", ["Ada"]), ("person", ["Ada", "Bob"]), ("bob", ["Bob"]), ("x", [])]
)
def test_entities_are_found_with_the_relations_that_they_are_in(people, query, found):
    told = people.use("search_nodes", query=query)

    assert [one["name"] for one in told["entities"]] == found
    assert told["relations"] == ([KNOWS] if found else [])


def test_an_entity_that_is_not_there_is_named_and_nothing_is_written(people):
    before = store.head()

    result = people.call(
        "add_observations",
        observations=[{"entityName": "Ada", "contents": ["x"]}, {"entityName": "Eve", "contents": ["y"]}],
    )

    assert result["isError"]
    assert result["content"][0]["text"].startswith("there is no entity 'Eve'; create it with create_entities")
    assert store.head() == before


def test_a_large_graph_is_read_in_pages_of_one_revision(graph):
    entities = [{"name": f"E{number}", "entityType": "t", "observations": ["x" * 500]} for number in range(200)]
    graph.use("create_entities", entities=entities)
    told = graph.use("read_graph")
    graph.use("create_entities", entities=[ADA])
    found = told["entities"]
    while "cursor" in told:
        assert len(json.dumps(told)) < 45_000
        told = graph.use("read_graph", cursor=told["cursor"])
        found += told["entities"]

    assert found == entities


def test_each_write_is_a_revision_that_can_be_taken_back(people):
    row = Revision.objects.latest("seq")

    assert (row.source, Revision.objects.count()) == ("mcp", 2)


@pytest.mark.parametrize("document", ["[]", '{"entities":[]}', '{"relations":{}}', "3"])
def test_a_key_that_holds_something_else_is_left_alone(graph, document):
    store.put(Address("Graph"), parse_json(document), Author("user:ada", Source.ADMIN))

    result = graph.call("create_entities", entities=[ADA])

    assert result["isError"]
    assert "by --graph" in result["content"][0]["text"]
    assert store.head() == 1


# Processes of its own


@pytest.fixture
def data(tmp_path):
    lay(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.process
def test_forty_writes_of_two_processes_are_forty(data):
    with start(data, "--compat", "memory") as one, start(data, "--compat", "memory") as two:
        for name, process in (("one", one), ("two", two)):
            writes = [tool(n, "create_entities", entities=[{**ADA, "name": f"{name}{n}"}]) for n in range(20)]
            process.stdin.write(line("initialize", "hello", **HELLO) + b"".join(writes))
            process.stdin.flush()
        for process in (one, two):
            assert len(process.communicate(timeout=60)[0].splitlines()) == 21
    with start(data, "--compat", "memory") as reader:
        [answer] = reader.communicate(tool(1, "read_graph"), timeout=60)[0].splitlines()

    assert len(json.loads(answer)["result"]["structuredContent"]["entities"]) == 40


def test_what_changes_nothing_leaves_an_entity_as_it_is():
    lines = [read_line(b'{"type":"entity","name":"Ada","entityType":"person"}') for _ in range(2)]
    graph = make_graph()
    for one in lines:
        take_in(graph, one)

    removed = delete_observations(graph, "Ada", ["likes tea"])

    assert graph["entities"] == {"Ada": {"entityType": "person"}}
    assert removed == 0
    assert (add_observations(graph, "Ada", ["x", "x"]), graph["entities"]["Ada"]["observations"]) == (["x"], ["x"])


def test_observations_that_are_no_array_are_not_written_over():
    graph = make_graph({"entities": {"Ada": {"observations": "many"}}, "relations": []})

    with pytest.raises(NoGraph, match="the observations of 'Ada' are no array"):
        add_observations(graph, "Ada", ["x"])


@pytest.mark.process
def test_a_file_is_taken_in_line_by_line_and_bad_lines_are_named(data, tmp_path):
    lines = [
        json.dumps({"type": "entity", **ADA, "extra": 1}),
        '{"type":"entity","name":"Bro',
        json.dumps({"type": "relation", **KNOWS}),
        "",
        json.dumps({"type": "entity", "name": 3}),
        json.dumps({"type": "entity", **ADA, "observations": ["plays chess"]}),
        '{"type":"note"}',
        json.dumps({"type": "entity", **BOB}),
    ]
    file = tmp_path / "memory.jsonl"
    file.write_text("\n".join(lines))

    with start(data, "--compat", "memory", "--import", str(file)) as process:
        output, errors = process.communicate(timeout=60)
    with start(data, "--compat", "memory") as reader:
        [answer] = reader.communicate(tool(1, "read_graph"), timeout=60)[0].splitlines()

    assert (process.returncode, output) == (0, b"")
    assert errors.decode().splitlines() == [
        "left out: line 2: column 25: a string is not closed",
        "left out: line 5: it lacks name, a string",
        'left out: line 7: its "type" is neither entity nor relation',
        "Graph has by now: entities 2, relations 1 (revision 2)",
    ]
    ada = {**ADA, "observations": ["likes tea", "plays chess"], "extra": 1}
    assert json.loads(answer)["result"]["structuredContent"] == {"entities": [ada, BOB], "relations": [KNOWS]}
