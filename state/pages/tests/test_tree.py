import json

URL = "/admin/state/tree/"


def found(client, words: str) -> dict:
    response = client.get(f"{URL}find", {"q": words})
    assert response.status_code == 200
    return response.json()


def put(client, key: str, value: object) -> None:
    assert client.put(f"/api/state/{key}", json.dumps(value), content_type="application/json").status_code == 201


def test_the_page_is_for_those_who_are_signed_in(client, owner):
    assert client.get(URL).status_code == 302
    assert client.get(f"{URL}find", {"q": "a"}).status_code == 302
    assert owner.get(URL).status_code == 200


def test_the_page_and_the_landing_page_name_nobodys_data(owner, agent):
    put(agent, "Secret", {"word": "swordfish"})

    assert b"swordfish" not in owner.get(URL).content
    assert f'href="{URL}"'.encode() in owner.get("/admin/").content


def test_words_are_found_in_names_and_values_whatever_their_case(owner, agent):
    put(agent, "A", {"Straße": 1, "b": ["x", {"c": "In der STRASSE"}], "d": "no"})
    put(agent, "B", "no")

    deep = {"type": "object", "size": 1, "part": [["c", {"type": "text", "text": "In der STRASSE", "hit": True}, 0]]}
    assert found(owner, "strasse") == {
        "found": 2,
        "more": False,
        "tree": {
            "type": "object",
            "size": 2,
            "part": [
                [
                    "A",
                    {
                        "type": "object",
                        "size": 3,
                        "part": [
                            ["Straße", {"type": "number", "number": "1", "hit": True}, 0],
                            ["b", {"type": "array", "size": 2, "part": [[1, deep]]}, 1],
                        ],
                    },
                    0,
                ]
            ],
        },
    }


def test_nodes_are_told_with_their_places_among_all(owner, agent):
    put(agent, "A", {"z": 1, "a/b": {"x": 2, "y": [3, 4]}, "c": 5})
    put(agent, "B", 6)

    answer = owner.get(f"{URL}find", {"node": ["/A/a~1b/y/1", "/A/c", "/A/gone", "/Gone"]})

    y = {"type": "array", "size": 2, "part": [[1, {"type": "number", "number": "4"}]]}
    b = {"type": "object", "size": 2, "part": [["y", y, 1]]}
    a = {"type": "object", "size": 3, "part": [["a/b", b, 1], ["c", {"type": "number", "number": "5"}, 2]]}
    assert answer.json() == {"tree": {"type": "object", "size": 2, "part": [["A", a]]}}
    asked = owner.get(f"{URL}find", {"node": "/B"}).json()
    assert asked == {"tree": {"type": "object", "size": 2, "part": [["B", {"type": "number", "number": "6"}, 1]]}}


def test_a_node_that_is_no_pointer_is_refused(owner):
    assert owner.get(f"{URL}find", {"node": "A"}).status_code == 422


def test_numbers_and_words_of_json_are_found_as_they_are_written(owner, agent):
    put(agent, "A", [2**63, True, None, 1e-7, 'say "hi"\n', "x" * 2000 + "end"])

    for words in ("9223372036854775808", "tru", "null", "1e-07", 'say "hi"', "xend"):
        assert found(owner, words)["found"] == 1, words


def test_a_key_is_found_by_its_name(owner, agent):
    put(agent, "Tasks", [])

    assert found(owner, "task")["tree"]["part"] == [["Tasks", {"type": "array", "size": 0, "hit": True}, 0]]


def test_no_more_than_200_places_are_told(owner, agent):
    put(agent, "Many", ["needle"] * 300)

    answer = found(owner, "needle")

    assert (answer["found"], answer["more"]) == (200, True)
    assert len(answer["tree"]["part"][0][1]["part"]) == 200


def test_nothing_to_look_for_is_refused(owner):
    assert owner.get(f"{URL}find", {"q": " "}).status_code == 422
    assert owner.get(f"{URL}find", {"q": "x" * 201}).status_code == 422


def test_a_search_is_one_query(owner, agent, django_assert_num_queries):
    put(agent, "A", {"a": 1})

    with django_assert_num_queries(3):  # session, user, all keys
        found(owner, "a")
