"""What was asked of one table so far, in plain nodes; and the same bound to the table of one epoch.

Owns the step from names to columns for a whole query, so that errors of meaning come where a query is written, and a
query that is run on a later epoch is bound anew. Immutable; any thread may share them.
"""

from __future__ import annotations

from typing import NamedTuple

from docs_layer.bound_tables import BoundTable
from docs_layer.conditions import ALWAYS, Condition, bind, every
from docs_layer.errors import QueryError
from docs_layer.nodes import AllOf, OrderNode, ValueNode
from docs_layer.ordering import OrderTerm, order_term, without_repeats
from docs_layer.planner import Wanted
from docs_layer.values import ColumnShape


class Request(NamedTuple):
    """What was asked for.

    Attributes:
        selected: Values that are given instead of rows, or None.
        is_single: Whether they are given bare, because there is one.
        distinct: Whether equal results are given once.
    """

    condition: AllOf = AllOf(())
    order: tuple[OrderNode, ...] = ()
    limit: int | None = None
    offset: int = 0
    selected: tuple[ValueNode, ...] | None = None
    is_single: bool = False
    distinct: bool = False


class Bound(NamedTuple):
    """A request whose names and constants were checked against a table."""

    table: BoundTable
    condition: Condition
    order: tuple[OrderTerm, ...]
    selected: tuple[ColumnShape, ...] | None
    distinct: bool

    @property
    def wanted(self) -> Wanted:
        """What to plan for."""
        columns = None if self.selected is None else frozenset(shape.column for shape in self.selected)
        unique = self.distinct and self.selected is not None
        return Wanted(self.condition, self.order, columns, unique)


def bind_request(table: BoundTable, request: Request) -> Bound:
    """Bind a request to a table.

    Raises:
        QueryError: A column of another table, a constant or a value without meaning there.
    """
    scope = table.scope
    parts = request.condition.parts
    condition = every(bind(part, scope) for part in parts) if parts else ALWAYS
    order = tuple(
        order_term(scope.column(node.column), node.descending, node.nulls, table.name) for node in request.order
    )
    selected = None if request.selected is None else tuple(scope.column(node) for node in request.selected)
    if request.distinct and selected is not None:
        order = _distinct_order(table.name, order, selected)
    return Bound(table, condition, order, selected, request.distinct)


def _distinct_order(
    table: str, order: tuple[OrderTerm, ...], selected: tuple[ColumnShape, ...]
) -> tuple[OrderTerm, ...]:
    """Order by all selected values, so that equal results are neighbours."""
    for term in order:
        if term.column not in selected:
            raise QueryError(
                f"{table}: distinct results can only be ordered by what is selected, not {term.column.name}"
            )
    return without_repeats([*order, *(order_term(shape, False, None, table) for shape in selected)])
