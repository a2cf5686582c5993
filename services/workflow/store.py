"""Instances in PostgreSQL: claimed by one process at a time, fenced by epochs, ended exactly once."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, case, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.database import Database, effects, instances, nodes
from services.workflow.domain import (
    ACTIVE,
    ENDED,
    Census,
    Claim,
    Filter,
    Instance,
    InstanceEnded,
    LeaseLostError,
    NewInstance,
    NodeState,
    NodeStatus,
    NodeType,
    Status,
)

IS_ACTIVE = instances.c.status.in_([str(status) for status in ACTIVE])


class PostgresStore:
    """As Store. All times are the database's: the clocks of replicas need not agree."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: NewInstance) -> Instance:
        """As Store.create."""
        values = {
            "id": uuid.UUID(new.id),
            "tenant_id": new.tenant_id,
            "workflow_id": new.workflow_id,
            "status": str(Status.WAITING),
            "input": dict(new.case),
            "traceparent": new.traceparent,
        }

        async def work(connection: AsyncConnection) -> Instance:
            made = await connection.execute(instances.insert().values(**values).returning(instances))
            return _instance(made.one())

        return await self._database.transaction(work)

    async def get(self, instance_id: str) -> Instance | None:
        """As Store.get."""
        known = uuid.UUID(instance_id)

        async def work(connection: AsyncConnection) -> Instance | None:
            row = (await connection.execute(select(instances).where(instances.c.id == known))).one_or_none()
            return _instance(row, (await _nodes_of(connection, [known]))[known]) if row else None

        return await self._database.transaction(work)

    async def find(self, wanted: Filter) -> Sequence[Instance]:
        """As Store.find."""
        query = select(instances).order_by(instances.c.created_at.desc()).limit(wanted.limit)
        for name in ("tenant_id", "workflow_id", "status"):
            value = getattr(wanted, name)
            if value is not None:
                query = query.where(instances.c[name] == str(value))

        async def work(connection: AsyncConnection) -> Sequence[Instance]:
            return [_instance(row) for row in await connection.execute(query)]

        return await self._database.transaction(work)

    async def claim(self, owner: str, *, limit: int, lease_seconds: float) -> Sequence[Claim]:
        """As Store.claim; what another replica is claiming at this moment is passed over."""
        due = (
            select(instances.c.id, instances.c.status)
            .where(IS_ACTIVE, instances.c.due_at <= func.now())
            .order_by(instances.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        abandoned = due.c.status == str(Status.RUNNING)
        taking = (
            update(instances)
            .where(instances.c.id == due.c.id)
            .values(
                status=str(Status.RUNNING),
                owner=owner,
                epoch=instances.c.epoch + 1,
                takeovers=instances.c.takeovers + case((abandoned, 1), else_=0),
                due_at=func.now() + timedelta(seconds=lease_seconds),
                started_at=func.coalesce(instances.c.started_at, func.now()),
            )
            .returning(instances, abandoned.label("abandoned"), func.now().label("now"))
        )

        async def work(connection: AsyncConnection) -> Sequence[Claim]:
            rows = (await connection.execute(taking)).all()
            known = await _nodes_of(connection, [row.id for row in rows if row.epoch > 1])
            return [
                Claim(_instance(row, known.get(row.id, ())), row.epoch, row.now, row.abandoned)
                for row in sorted(rows, key=lambda row: row.created_at)
            ]

        return await self._database.transaction(work)

    async def renew(self, claims: Sequence[Claim], *, lease_seconds: float) -> None:
        """As Store.renew."""
        ours = or_(*(_held(claim) for claim in claims))
        prolong = update(instances).where(ours).values(due_at=func.now() + timedelta(seconds=lease_seconds))
        await self._database.transaction(lambda connection: connection.execute(prolong))

    async def save(
        self, claim: Claim, nodes: Sequence[NodeState], *, lease_seconds: float, run: str | None
    ) -> None:
        """As Store.save."""
        prolong = {"due_at": func.now() + timedelta(seconds=lease_seconds), "last_run": run}

        async def work(connection: AsyncConnection) -> None:
            await _fenced(connection, claim, prolong)
            await _keep(connection, claim, nodes)

        await self._database.transaction(work)

    async def pause(self, claim: Claim, *, seconds: float) -> None:
        """As Store.pause."""
        values = {
            "status": str(Status.WAITING),
            "owner": None,
            "due_at": func.now() + timedelta(seconds=seconds),
        }
        await self._database.transaction(lambda connection: _fenced(connection, claim, values))

    async def finish(
        self, claim: Claim, status: Status, *, failure: str | None, nodes: Sequence[NodeState]
    ) -> InstanceEnded:
        """As Store.finish."""
        values = {"status": str(status), "failure": failure, "ended_at": func.now()}

        async def work(connection: AsyncConnection) -> InstanceEnded:
            try:
                row = await _fenced(connection, claim, values)
                await _keep(connection, claim, nodes)
            except LeaseLostError:
                row = await _ended_by(connection, claim)
            seconds = (row.ended_at - row.created_at).total_seconds()
            return InstanceEnded(_instance(row), Status(row.status), seconds, row.failure, claim.epoch)

        return await self._database.transaction(work)

    async def census(self) -> Census:
        """As Store.census."""
        c = instances.c
        wants = (c.status == str(Status.WAITING)) & (c.due_at <= func.now())
        query = (
            select(c.tenant_id, c.workflow_id, c.status, func.count(), func.count().filter(wants))
            .where(IS_ACTIVE)
            .group_by(c.tenant_id, c.workflow_id, c.status)
        )

        async def work(connection: AsyncConnection) -> Census:
            rows = (await connection.execute(query)).all()
            return Census({(row[0], row[1], row[2]): row[3] for row in rows}, sum(row[4] for row in rows))

        return await self._database.transaction(work)


class PostgresLedger:
    """As Ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enter(self, key: str, *, partner: str, operation: str, reference: str) -> str:
        """As Ledger.enter; two that enter the same key at once get the same reference."""
        known = uuid.UUID(key)
        values = {"key": known, "partner": partner, "operation": operation, "reference": reference}

        async def work(connection: AsyncConnection) -> str:
            entering = insert(effects).values(**values).on_conflict_do_nothing()
            entered = (await connection.execute(entering.returning(effects.c.reference))).scalar_one_or_none()
            if entered is None:
                known_as = select(effects.c.reference).where(effects.c.key == known)
                entered = (await connection.execute(known_as)).scalar_one()
            return str(entered)

        return await self._database.transaction(work)


def _held(claim: Claim) -> Any:
    """The instance, as long as nobody claimed it after us and it has not ended."""
    c = instances.c
    return (
        (c.id == uuid.UUID(claim.instance.id)) & (c.epoch == claim.epoch) & (c.status == str(Status.RUNNING))
    )


async def _fenced(connection: AsyncConnection, claim: Claim, values: Mapping[str, Any]) -> Row[Any]:
    """The instance's row, changed and locked until the transaction ends; raises LeaseLostError."""
    changing = update(instances).where(_held(claim)).values(**values).returning(instances)
    row: Row[Any] | None = (await connection.execute(changing)).one_or_none()
    if row is None:
        raise LeaseLostError(f"instance {claim.instance.id} is no longer ours")
    return row


async def _ended_by(connection: AsyncConnection, claim: Claim) -> Row[Any]:
    """The row that this claim ended although it never heard of it; raises LeaseLostError."""
    ours = (instances.c.id == uuid.UUID(claim.instance.id)) & (instances.c.epoch == literal(claim.epoch))
    ended = instances.c.status.in_([str(status) for status in ENDED])
    row = (await connection.execute(select(instances).where(ours, ended))).one_or_none()
    if row is None:
        raise LeaseLostError(f"instance {claim.instance.id} is no longer ours")
    return row


async def _keep(connection: AsyncConnection, claim: Claim, states: Sequence[NodeState]) -> None:
    if not states:
        return
    latest = {state.node_id: state for state in states}  # one statement cannot change a row twice
    rows = [
        {
            "instance_id": uuid.UUID(claim.instance.id),
            "node_id": state.node_id,
            "type": str(state.type),
            "status": str(state.status),
            "attempts": state.attempts,
            "result": None if state.result is None else dict(state.result),
            "failure": state.failure,
            "fallback": state.fallback,
            "started_at": state.started_at,
            "due_at": state.due_at,
            "ended_at": state.ended_at,
        }
        for state in latest.values()
    ]
    adding = insert(nodes).values(rows)
    changed = {name: adding.excluded[name] for name in rows[0] if name not in {"instance_id", "node_id"}}
    await connection.execute(adding.on_conflict_do_update(index_elements=nodes.primary_key, set_=changed))


async def _nodes_of(
    connection: AsyncConnection, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, tuple[NodeState, ...]]:
    found: dict[uuid.UUID, list[NodeState]] = {one: [] for one in ids}
    if ids:
        query = select(nodes).where(nodes.c.instance_id.in_(ids)).order_by(nodes.c.started_at)
        for row in await connection.execute(query):
            found[row.instance_id].append(_node(row))
    return {one: tuple(states) for one, states in found.items()}


def _node(row: Row[Any]) -> NodeState:
    return NodeState(
        node_id=row.node_id,
        type=NodeType(row.type),
        status=NodeStatus(row.status),
        started_at=row.started_at,
        attempts=row.attempts,
        result=row.result,
        failure=row.failure,
        fallback=row.fallback,
        due_at=row.due_at,
        ended_at=row.ended_at,
    )


def _instance(row: Row[Any], states: tuple[NodeState, ...] = ()) -> Instance:
    return Instance(
        id=str(row.id),
        tenant_id=row.tenant_id,
        workflow_id=row.workflow_id,
        status=Status(row.status),
        case=row.input,
        created_at=row.created_at,
        due_at=row.due_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        failure=row.failure,
        takeovers=row.takeovers,
        traceparent=row.traceparent,
        last_run=row.last_run,
        nodes=states,
    )
