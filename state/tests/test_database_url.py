"""What DATABASE_URL means for the sessions of a PostgreSQL."""

from state.database.url import find_database


def test_either_side_soon_knows_that_the_machine_of_the_other_is_gone(tmp_path):
    options = find_database("postgres://nola@db/nola?keepalives_idle=7&options=-c%20jit%3Doff", tmp_path)["OPTIONS"]

    assert options["keepalives_idle"] == "7"
    assert options["tcp_user_timeout"] == "30000"
    assert "-c tcp_keepalives_idle=30 " in options["options"]
    assert options["options"].endswith(" -c jit=off")
