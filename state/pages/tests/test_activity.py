from django.contrib.auth.models import Permission, User

URL = "/admin/activity/"


def test_the_page_is_for_those_who_may_see_keys_and_their_history(client, db):
    assert client.get(URL).status_code == 302
    user = User.objects.create_user("bob", password="a-long-password", is_staff=True)
    client.force_login(user)
    assert client.get(URL).status_code == 403

    user.user_permissions.set(
        Permission.objects.filter(
            codename__in=["view_stateentry", "view_revision", "view_conversation", "view_message"]
        )
    )

    page = client.get(URL).content.decode()
    assert 'data-actor="user:bob"' in page
    assert "data-undo" not in page


def test_who_may_change_keys_may_take_changes_back(owner):
    assert b"data-undo" in owner.get(URL).content


def test_the_filters_offer_who_has_written_and_what_is_known(owner, agent):
    agent.put("/api/state/Tasks", "1", content_type="application/json")
    agent.put("/api/state/%3C~1script>", "1", content_type="application/json")

    page = owner.get(URL).content.decode()

    assert '["key:default"]' in page
    assert '["\\u003C/script\\u003E", "Tasks"]' in page


def test_the_page_costs_a_fixed_number_of_queries(owner, agent, django_assert_max_num_queries):
    for number in range(20):
        agent.put(f"/api/state/Key{number}", "1", content_type="application/json")

    with django_assert_max_num_queries(6):
        owner.get(URL)
