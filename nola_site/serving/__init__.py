"""The server: bodies, pool, streams and problem documents. Routes are in the apps' `api` packages."""
