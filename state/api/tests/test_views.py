import pytest

from state.models import Revision

JSON = "application/json"
PROFILE = (
    '{"level_1":"Ada","level_2":{"name":"Ada L."},"level_3":{"name":"Ada Lovelace","born":1815},'
    '"notes":[{"level_3":"deep"},{"level_1":"shallow"}]}'
)


@pytest.fixture
def profile(agent):
    agent.put("/api/state/Profile", PROFILE, content_type=JSON)
    agent.put("/api/state/Deep", '{"level_3":"only here"}', content_type=JSON)
    agent.put("/api/state/Plain", "[9223372036854775808,-0.0]", content_type=JSON)
    return agent


@pytest.mark.parametrize(
    ("address", "value"),
    [
        ("/Profile?level=1", '{"level_1":"Ada","notes":["shallow"]}'),
        ("/Profile?stimuli=conversational", '{"level_2":{"name":"Ada L."},"notes":["shallow"]}'),
        ("/Profile?stimuli=whatever", '{"level_2":{"name":"Ada L."},"notes":["shallow"]}'),
        ("/Profile/notes/1?level=1", '"shallow"'),
        ("/Profile/level_2?level=2", '{"name":"Ada L."}'),
        ("?level=1", '{"Plain":[9223372036854775808,-0.0],"Profile":{"level_1":"Ada","notes":["shallow"]}}'),
    ],
)
def test_a_level_shows_no_deeper_detail(profile, address, value):
    response = profile.get(f"/api/state{address}")

    assert (response.status_code, response.content.decode()) == (200, value)
    assert response["ETag"].startswith('W/"')


@pytest.mark.parametrize("address", ["/Profile/level_3?level=2", "/Profile/level_3/born?level=2", "/Deep?level=2"])
def test_what_a_level_hides_is_not_there(profile, address):
    assert profile.get(f"/api/state{address}").status_code == 404


def test_a_level_goes_with_the_past(profile):
    profile.put("/api/state/Profile/level_1", '"Augusta"', content_type=JSON)

    assert profile.get("/api/state/Profile?level=1&at=1").json()["level_1"] == "Ada"
    assert profile.get("/api/state/Profile?level=1").json()["level_1"] == "Augusta"


def test_a_tree_shows_types_sizes_and_exact_numbers(profile):
    response = profile.get("/api/state/Plain?view=tree")

    assert response["Content-Type"] == "application/vnd.nola.tree+json"
    assert response.json() == {
        "type": "array",
        "bytes": 26,
        "size": 2,
        "start": 0,
        "items": [
            {"type": "number", "bytes": 19, "number": "9223372036854775808"},
            {"type": "number", "bytes": 4, "number": "-0.0"},
        ],
    }


def test_a_tree_is_paged_by_the_next_of_the_page_before(profile):
    first = profile.get("/api/state?view=tree&limit=2").json()
    second = profile.get("/api/state", {"view": "tree", "limit": 2, "after": first["next"]}).json()

    assert [name for name, _ in first["members"] + second["members"]] == ["Deep", "Plain", "Profile"]
    assert "next" not in second


def test_a_tree_shows_no_deeper_detail_either(profile):
    assert "born" not in profile.get("/api/state/Profile?view=tree&depth=9&level=2").content.decode()


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("?level=1&node=/Profile/notes/0", '"shallow"'),  # the second, where nothing is left out
        ("?level=2&node=/Profile/level_2/name", '"Ada L."'),
        ("/Profile?level=1&node=/notes", '["shallow"]'),
        ("?node=/Plain/1", "-0.0"),
        ("?at=2&node=/Profile/notes/1/level_1", '"shallow"'),
    ],
)
def test_a_node_is_named_as_it_is_shown(profile, query, value):
    response = profile.get(f"/api/state{query}")

    assert (response.status_code, response.content.decode()) == (200, value)


@pytest.mark.parametrize("query", ["?level=1&node=/Profile/level_2", "?level=1&node=/Profile/notes/1", "?node=/No/way"])
def test_a_node_that_is_not_shown_is_not_there(profile, query):
    assert profile.get(f"/api/state{query}").status_code == 404
    assert profile.get(f"/api/state{query}&view=tree").status_code == 404


def test_a_tree_opens_what_it_is_asked_to_open(profile):
    tree = profile.get("/api/state?view=tree&open=/Profile&open=/Profile/notes").json()

    members = dict(tree["members"])
    assert "members" not in members["Deep"]
    assert "items" not in members["Plain"]
    inside = dict(members["Profile"]["members"])
    assert "members" not in inside["level_2"]
    assert [item["size"] for item in inside["notes"]["items"]] == [1, 1]


def test_a_jsonpath_finds_nodes_over_all_keys(profile):
    response = profile.get("/api/query", {"path": "$..name"})

    assert response.json() == {
        "results": [
            {"path": "$['Profile']['level_2']['name']", "pointer": "/Profile/level_2/name", "value": "Ada L."},
            {"path": "$['Profile']['level_3']['name']", "pointer": "/Profile/level_3/name", "value": "Ada Lovelace"},
        ],
        "more": False,
    }
    assert len(profile.get("/api/query", {"path": "$..name", "limit": 1}).json()["results"]) == 1
    assert "Lovelace" not in profile.get("/api/query", {"path": "$..*", "level": 2}).content.decode()


@pytest.mark.parametrize(
    ("address", "status", "detail"),
    [
        ("/api/state/Profile?level=7", 422, "there is no level '7'"),
        ("/api/state/Profile?level=1&stimuli=realtime", 422, "give one of them"),
        ("/api/state/Profile?level=1&level=2", 400, "given 2 times"),
        ("/api/state/Profile?view=graph", 422, "there is no view 'graph'"),
        ("/api/state/Profile?view=tree&depth=x", 422, "depth is a whole number"),
        ("/api/state/Profile?limit=3", 422, "goes with view=tree only"),
        ("/api/query", 422, "the query needs a path"),
        ("/api/query?path=$[", 400, "of the query"),
        ("/api/query?path=$&limit=0", 400, "limit is a whole number"),
        (f"/api/state/Plain/{'9' * 5000}", 404, "is not an index"),
    ],
)
def test_a_bad_view_is_a_problem(profile, address, status, detail):
    response = profile.get(address)

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]
    assert Revision.objects.count() == 3


def test_a_write_takes_no_view(profile):
    assert profile.put("/api/state/Profile?level=1", "1", content_type=JSON).status_code == 422


def test_several_pointers_give_several_values_of_one_moment(agent):
    agent.put("/api/state/A", '{"x":{"y":1.0},"n":null}', content_type="application/json")
    agent.put("/api/state/B", '["b"]', content_type="application/json")

    from_all = agent.get("/api/state?pointer=/B/0&pointer=/A/x&pointer=/A/n&pointer=/A/gone&pointer=/C")
    from_key = agent.get("/api/state/A?pointer=/x/y&pointer=&at=1")

    assert from_all.content == b'{"/B/0":"b","/A/x":{"y":1.0},"/A/n":null}'
    assert (from_all["Nola-Revision"], from_all["ETag"][:3]) == ("2", 'W/"')
    assert from_key.content == b'{"/x/y":1.0,"":{"x":{"y":1.0},"n":null}}'


def test_several_pointers_are_two_reads_of_the_database(agent, django_assert_num_queries):
    agent.put("/api/state/A", '{"x":1,"y":2}', content_type="application/json")

    with django_assert_num_queries(2):  # the key that may read, and the values
        agent.get("/api/state?pointer=/A/x&pointer=/A/y&pointer=/B")


def test_several_pointers_show_no_more_than_the_level(agent):
    agent.put("/api/state/A", '{"t":{"level_1":"short","level_3":"long"},"u":1}', content_type="application/json")

    response = agent.get("/api/state/A?pointer=/t&pointer=/t/level_3&pointer=/u&level=1")

    assert response.json() == {"/t": "short", "/u": 1}


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("pointer=/A&pointer=/B&view=tree", 422, "view=tree shows one node"),
        ("pointer=/A&pointer=", 400, "stands for the whole state"),
        ("pointer=/A&pointer=x", 400, "does not start with /"),
        ("&".join(f"pointer=/A/{n}" for n in range(129)), 400, "129 pointers are too many"),
    ],
)
def test_several_pointers_that_cannot_be_read_together_are_refused(agent, query, status, detail):
    response = agent.get(f"/api/state?{query}")

    assert response.status_code == status
    assert detail in response.json()["detail"]


def test_a_write_takes_one_pointer(agent):
    response = agent.put("/api/state/A?pointer=/x&pointer=/y", "1", content_type="application/json")

    assert (response.status_code, response.json()["detail"]) == (
        400,
        "one pointer at a time, please; several are for reading the state",
    )
