"""Django's PostgreSQL backend, with texts that are compared by their bytes and may hold any character."""

from collections.abc import Iterable
from typing import Any, Self

import psycopg
from django.db import OperationalError
from django.db.backends.postgresql import base, operations, schema

from state.database.postgres.engine import Engine, LostAtCommit
from state.database.postgres.values import register_values

# A large text is compressed whenever it is written: by lz4, which takes a fifth of the time, where the server knows it
# and nobody has said by what.
COMPRESS = (
    "SELECT set_config(name, 'lz4', false) FROM pg_settings"
    " WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals) AND source = 'default'"
)


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """Texts are compared by their bytes; then indexes for LIKE are not needed beside the others."""

    def _iter_column_sql(
        self, column_db_type: str, params: Any, model: Any, field: Any, field_db_params: Any, include_default: bool
    ) -> Any:
        if column_db_type == "text":
            field_db_params = {**field_db_params, "collation": "C"}
        return super()._iter_column_sql(column_db_type, params, model, field, field_db_params, include_default)  # type: ignore[misc]

    def _create_like_index_sql(self, model: Any, field: Any) -> None:
        return None

    def _create_index_sql(self, model: Any, *, fields: Any = None, col_suffixes: Any = (), **named: Any) -> Any:
        if fields and col_suffixes:  # in the order that the compiler asks for
            pairs = zip(fields, col_suffixes, strict=True)
            col_suffixes = [f"{way} NULLS LAST" if way == "DESC" and field.null else way for field, way in pairs]
        return super()._create_index_sql(model, fields=fields, col_suffixes=col_suffixes, **named)  # type: ignore[misc]


class DatabaseOperations(operations.DatabaseOperations):
    """The tables of a test database are emptied row by row, since there are few: a TRUNCATE makes each file anew."""

    compiler_module = "state.database.postgres.compiler"

    def sql_flush(self, style: Any, tables: Any, *, reset_sequences: bool = False, allow_cascade: bool = False) -> Any:
        return [f"DELETE FROM {self.quote_name(table)}" for table in tables]


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection."""

    data_types = {**base.DatabaseWrapper.data_types, "CharField": "text", "SlugField": "text"}
    operators = {
        **base.DatabaseWrapper.operators,
        **dict.fromkeys(("icontains", "istartswith", "iendswith"), 'LIKE UPPER(%s COLLATE "C")'),
        "iexact": '= UPPER(%s COLLATE "C")',
    }
    SchemaEditorClass = DatabaseSchemaEditor
    ops_class = DatabaseOperations

    def __init__(self, *settings: Any, **named: Any) -> None:
        super().__init__(*settings, **named)
        self.engine = Engine(self)
        self.is_to_begin = False  # a transaction, with its first statement

    def _start_transaction_under_autocommit(self) -> None:
        self.is_to_begin = True

    def _rollback(self) -> Any:
        return None if self.drop_begin() else super()._rollback()  # type: ignore[misc]

    def drop_begin(self) -> bool:
        """Whether a transaction was still to begin; now whoever asks begins it."""
        was, self.is_to_begin = self.is_to_begin, False
        return was

    def _begin(self) -> None:
        if self.drop_begin():
            with self.wrap_database_errors:
                self.connection.execute("BEGIN")

    def _cursor(self, name: Any = None) -> Any:
        self._begin()
        return super()._cursor(name)  # type: ignore[misc]

    def cursor(self) -> Any:
        """A cursor; Django's own where queries are logged or wrapped, or the connection is still to be opened."""
        self._begin()
        if self.connection is None or self.wants_each_query():
            return super().cursor()
        self.validate_thread_sharing()
        return Cursor(self)

    def wants_each_query(self) -> bool:
        """Whether somebody looks at the queries, one by one."""
        return bool(self.queries_logged or self.execute_wrappers)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        self.is_to_begin = False
        register_values(connection.adapters)
        return connection

    def init_connection_state(self) -> None:
        super().init_connection_state()
        self.connection.execute(COMPRESS)

    def _commit(self) -> None:
        if self.drop_begin():
            return
        was_there = self.connection is not None and not self.connection.closed
        try:
            super()._commit()  # type: ignore[misc]
        except OperationalError as error:
            if was_there and (self.connection is None or self.connection.closed):
                raise LostAtCommit(*error.args) from error.__cause__
            raise
        self.engine.commits += 1


class Cursor(psycopg.Cursor):
    """A cursor that raises Django's errors, and costs a third of Django's."""

    def __init__(self, database: DatabaseWrapper) -> None:
        super().__init__(database.connection)
        self.database = database

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        self.database.validate_no_broken_transaction()
        with self.database.wrap_database_errors:
            return super().execute(query, params, **options)

    def executemany(self, query: Any, params_seq: Iterable[Any], **options: Any) -> None:
        self.database.validate_no_broken_transaction()
        with self.database.wrap_database_errors:
            super().executemany(query, params_seq, **options)

    def fetchone(self) -> Any:
        with self.database.wrap_database_errors:
            return super().fetchone()

    def fetchmany(self, size: int = 0) -> list[Any]:
        with self.database.wrap_database_errors:
            return super().fetchmany(size)

    def fetchall(self) -> list[Any]:
        with self.database.wrap_database_errors:
            return super().fetchall()
