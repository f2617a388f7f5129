"""Queries in which what is not there stands before all else, as in SQLite: first, or last in descending order."""

from typing import Any

from django.db.backends.postgresql import compiler
from django.db.backends.postgresql.compiler import (
    SQLAggregateCompiler,
    SQLDeleteCompiler,
    SQLInsertCompiler,
    SQLUpdateCompiler,
)
from django.db.models.expressions import Col, OrderBy
from django.db.models.sql.constants import LOUTER

__all__ = ["SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler", "SQLUpdateCompiler"]


class SQLCompiler(compiler.SQLCompiler):
    """Orders a column that may be empty by NULLS FIRST or LAST; others not, or no index would be in their order."""

    def compile(self, node: Any) -> Any:
        if isinstance(node, OrderBy) and not (node.nulls_first or node.nulls_last) and self._may_be_null(node):
            node = node.copy()
            node.nulls_first, node.nulls_last = (None, True) if node.descending else (True, None)
        return super().compile(node)

    def _may_be_null(self, node: OrderBy) -> bool:
        column = node.expression
        if not isinstance(column, Col):
            return True
        joined = getattr(self.query.alias_map.get(column.alias), "join_type", None)
        return bool(column.target.null) or joined == LOUTER
