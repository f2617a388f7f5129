"""A start with a DATABASE_URL that is not right: a sentence that names the thing and the way out; nothing is done."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.postgres import Cluster
from tests.server import Server, free_port, manage, running
from tests.servers import closing_all

SECRET = "open-sesame-1234"
pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def made(cluster: Cluster, tmp_path_factory) -> Cluster:
    """A cluster with the database of a first run in it, "made", and with roles."""
    cluster.execute("CREATE DATABASE made", f"CREATE ROLE locked LOGIN PASSWORD '{SECRET}'", "CREATE ROLE guest LOGIN")
    cluster.let_in("local all locked scram-sha-256")
    prepare(cluster.url("made"), tmp_path_factory.mktemp("made"))
    cluster.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest", database="made")
    return cluster


def prepare(url: str, data: Path) -> None:
    done = manage(data, "shell", "-v0", "-c", "from nola_site.safety.first_run import prepare as p; p()",
                  DATABASE_URL=url)  # fmt: skip
    assert done.returncode == 0, done.stderr


def copy(cluster: Cluster, name: str, *statements: str) -> str:
    """The address of a copy of the database of a first run, after these statements."""
    cluster.execute(f"CREATE DATABASE {name} TEMPLATE made")
    if statements:
        cluster.execute(*statements, database=name)
    return cluster.url(name)


def list_tables(cluster: Cluster, database: str) -> list[tuple]:
    return cluster.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
                           database=database)  # fmt: skip


def refuse(data: Path, url: str) -> str:
    """What a start says that does not come to serve."""
    said = manage(data, "serve", port=free_port(), DATABASE_URL=url)
    assert said.returncode == 1, said.stdout
    assert said.stdout == ""
    assert "Traceback" not in said.stderr and SECRET not in said.stderr
    return said.stderr.strip()


def test_a_server_that_is_not_there(tmp_path):
    said = refuse(tmp_path / "data", f"postgres://ada:{SECRET}@127.0.0.1:1/nola")

    assert said.startswith("CommandError: the database nola at 127.0.0.1:1 cannot be used: ")
    assert "Connection refused" in said
    assert said.endswith("See that PostgreSQL runs there, and that DATABASE_URL names it right.")


def test_a_socket_that_is_not_there(tmp_path):
    said = refuse(tmp_path / "data", f"postgres:///nola?host={tmp_path}")

    assert f"the database nola at {tmp_path} cannot be used: " in said
    assert said.endswith("See that PostgreSQL runs there, and that DATABASE_URL names it right.")


def test_a_wrong_password_is_said_and_never_shown(made, tmp_path):
    url = made.url("made", user=f"locked:{SECRET}x")

    said = refuse(tmp_path / "data", url)

    assert 'password authentication failed for user "locked"' in said
    assert said.endswith("Correct the user and the password in DATABASE_URL.")


def test_a_password_that_is_left_out(made, tmp_path):
    said = refuse(tmp_path / "data", made.url("made", user="locked"))

    assert said.endswith("Put the password into DATABASE_URL.")


def test_a_database_that_is_not_there(made, tmp_path):
    said = refuse(tmp_path / "data", made.url("nothing"))

    assert 'database "nothing" does not exist' in said
    assert said.endswith("Create it there (createdb), or correct the name in DATABASE_URL.")


def test_a_user_that_is_not_there(made, tmp_path):
    said = refuse(tmp_path / "data", made.url("made", user="nobody"))

    assert 'role "nobody" does not exist' in said
    assert said.endswith("Correct the user in DATABASE_URL, or create it there (createuser).")


def test_a_user_that_may_only_read(made, tmp_path):
    said = refuse(tmp_path / "data", made.url("made", user="guest"))

    assert "is read-only for this user: it may not write there. Make it the owner of the database" in said


def test_a_user_that_may_not_make_tables(made, tmp_path):
    made.execute("CREATE DATABASE bare")

    said = refuse(tmp_path / "data", made.url("bare", user="guest"))

    assert "is read-only for this user: it may not write there. Make it the owner of the database" in said
    assert list_tables(made, "bare") == []


def test_a_database_that_is_set_to_be_read(made, tmp_path):
    url = copy(made, "still", "ALTER DATABASE still SET default_transaction_read_only = on")

    said = refuse(tmp_path / "data", url)

    assert "is read-only for this user (default_transaction_read_only). Let it write, or name another user." in said


def test_a_database_of_something_else(made, tmp_path):
    made.execute("CREATE DATABASE shop")
    made.execute("CREATE TABLE orders (id int)", database="shop")

    said = refuse(tmp_path / "data", made.url("shop"))

    assert "is a database of something else: it has none of Nola's tables. It was left as it is" in said
    assert said.endswith("name an empty database in DATABASE_URL.")
    assert list_tables(made, "shop") == [("orders",)]


def test_a_database_of_a_newer_release(made, tmp_path):
    row = "INSERT INTO django_migrations (app, name, applied) VALUES ('state', '9999_wings', now())"
    url = copy(made, "newer", row)

    said = refuse(tmp_path / "data", url)

    assert "was written by a newer Nola (it has state.9999_wings). Install that release, or a newer one." in said


def test_a_history_whose_end_was_cut_off(made, tmp_path):
    url = copy(made, "altered", "UPDATE state_meta SET last_seq = 5")

    said = refuse(tmp_path / "data", url)

    assert "is not what its history says" in said
    assert said.endswith("To go on, restore a dump of it, or name another database in DATABASE_URL.")


def test_an_encoding_that_cannot_hold_every_text(made, tmp_path):
    made.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")

    said = refuse(tmp_path / "data", made.url("latin"))

    assert "has the encoding LATIN1. Nola needs UTF8: createdb --encoding UTF8 --template template0." in said
    assert list_tables(made, "latin") == []


def test_a_server_that_has_no_connection_left(made, tmp_path):
    made.execute("CREATE ROLE crowd LOGIN CONNECTION LIMIT 0")

    said = refuse(tmp_path / "data", made.url("made", user="crowd"))

    assert 'too many connections for role "crowd"' in said
    assert "max_connections" in said and "NOLA_WORKERS" in said


def test_an_option_that_the_driver_does_not_know(made, tmp_path):
    said = refuse(tmp_path / "data", f"{made.url('made', user=f'locked:{SECRET}')}&wings=2")

    assert 'invalid connection option "wings"' in said


def test_an_older_dump_that_was_put_back_is_noticed(made, tmp_path):
    data = tmp_path / "data"
    url = copy(made, "rewound")
    with running(data, fresh=True, DATABASE_URL=url) as server:
        for number in range(3):
            server.request("PUT", "/api/state/Task", b"%d" % number)
        server.stop()
    made.execute("DROP DATABASE rewound WITH (FORCE)")
    copy(made, "rewound")

    with running(data, DATABASE_URL=url) as server:
        status, _, headers = server.request("PUT", "/api/state/Task", b"9")
        said = server.output()

    assert status == 201
    assert int(headers["nola-revision"]) == 6  # the seeds, three that are gone, and that the clock goes on
    assert "stands at revision 1; the one before it had 4" in said


def test_a_first_run_of_several_at_once_is_one(made, tmp_path):
    made.execute("CREATE DATABASE crowded")
    servers = [Server(tmp_path / "data", fresh=True, DATABASE_URL=made.url("crowded")) for _ in range(2)]

    with closing_all(servers), ThreadPoolExecutor(2) as pool:
        list(pool.map(Server.start, servers))
        answers = [server.request("GET", "/api/state/Identity")[:2] for server in servers]

    assert answers[0] == answers[1] and answers[0][0] == 200
    assert made.execute("SELECT count(*) FROM state_revision", database="crowded") == [(1,)]


def test_a_file_with_a_memory_is_not_passed_over_for_an_empty_database(made, tmp_path):
    made.execute("CREATE DATABASE fresh")
    data = tmp_path / "data"
    with running(data, DATABASE_URL=""):
        pass

    said = refuse(data, made.url("fresh"))

    assert (
        f"is empty, and there is a memory in {data / 'db' / 'nola.sqlite3'}. Bring it over (./nola move --to URL)"
        in said
    )
    assert list_tables(made, "fresh") == []


def test_a_memory_on_a_server_is_not_begun_anew_in_a_file(made, tmp_path):
    data = tmp_path / "data"
    prepare(copy(made, "elsewhere"), data)

    said = refuse(data, "")

    assert "the memory of this data directory is in a PostgreSQL" in said and "DATABASE_URL is not set" in said
    assert not (data / "db" / "nola.sqlite3").exists()


def test_too_old_a_server_is_refused_by_its_version(monkeypatch):
    pytest.importorskip("psycopg")
    from django.db.utils import NotSupportedError

    from state.database.postgres.obstacles import find_obstacle

    class Old:
        settings_dict = {"NAME": "nola", "HOST": "db", "PORT": "5432"}

        def ensure_connection(self):
            raise NotSupportedError("PostgreSQL 14 or later is required (found 12.22).")

    assert find_obstacle(Old()) == (
        "the database nola at db:5432 cannot be used: PostgreSQL 14 or later is required (found 12.22). Upgrade it, or"
        " name another in DATABASE_URL."
    )
