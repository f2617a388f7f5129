"""A tenth of what `make soak` does to two servers on one database."""

import pytest

from tests.servers import any_cluster, running_servers
from tests.soak import servers as soak_servers

pytestmark = pytest.mark.process


@pytest.mark.heavy
def test_no_write_is_lost_or_made_twice_and_no_reader_misses_one_when_servers_die(tmp_path):
    with any_cluster() as cluster, running_servers(tmp_path / "servers", cluster) as servers:
        done = soak_servers.storm(servers, soak_servers.WRITES // 10, deaths=2)
        revision = servers[0].request("PUT", "/api/state/Log0/0", b"1")[2]["nola-revision"]
        writers = [soak_servers.Writer(servers, number, 0) for number in range(soak_servers.WRITERS)]
        for writer in writers:
            writer.written = soak_servers.WRITES // 10

        assert len(soak_servers.find_lost(servers[1], writers)) == 1

    assert done["written"] == soak_servers.WRITERS * soak_servers.WRITES // 10
    assert int(revision) == done["revisions"] + 1
    assert done["resumed"] > 20
