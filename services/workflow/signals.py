"""Every metric, log event and span of workflow, declared once; `record` turns one event into its signals."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product

from services.workflow.catalogue import GUARDED, TENANTS, WORKFLOWS
from services.workflow.domain import (
    ACTIVE,
    ENDED,
    BreakerMoved,
    BreakerState,
    Census,
    Claim,
    Event,
    Instance,
    InstanceEnded,
    InstanceInterrupted,
    InstanceTakenOver,
    NodeFailed,
    NodeRetried,
    NodeState,
    NodeStatus,
    NodeType,
    Status,
)
from services.workflow.graph import Node
from services.workflow.tracing import ids_of
from telemetry.logs import bind, get_logger
from telemetry.metrics import Metrics
from telemetry.traces import Span, span

DURATION_BUCKETS = (1, 5, 10, 30, 60, 120, 300)
SERVICE = "workflow"  # the label `service` of the breakers' counter; targets themselves never carry one
MOVES = (
    (BreakerState.CLOSED, BreakerState.OPEN),
    (BreakerState.OPEN, BreakerState.HALF_OPEN),
    (BreakerState.HALF_OPEN, BreakerState.CLOSED),
    (BreakerState.HALF_OPEN, BreakerState.OPEN),
)
QUIET_SECONDS = 10.0  # a dead database is told once in this time, not once per look for work

COMPLETED = "Workflow instance completed"
FAILED = "Workflow instance failed"
INTERRUPTED = "Workflow instance interrupted"
TAKEN_OVER = "Workflow instance taken over"
BROKEN = "Workflow run broke off"
NODE_RETRIED = "Workflow node tried again"
NODE_FAILED = "Workflow node failed"
BREAKER_OPENED = "Circuit breaker opened"
BREAKER_TRIES = "Circuit breaker lets one attempt through"
BREAKER_CLOSED = "Circuit breaker closed"
STORE_UNAVAILABLE = "Workflow database unavailable"
LOOP_BROKEN = "Workflow background work failed"


class Signals:
    """The service's metrics and log events; one per process."""

    def __init__(self, metrics: Metrics, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._quiet_until = float("-inf")
        self._suppressed = 0
        self._log = get_logger("workflow")
        self._breaker_log = get_logger("breaker")
        self._counted: dict[tuple[str, str, str], int] = {}
        self._declare(metrics)
        self._preset()

    def _declare(self, metrics: Metrics) -> None:
        tenant_workflow = ("tenant_id", "workflow_id")
        self.instances = metrics.counter(
            "workflow_instances_total",
            "Workflow instances that ended, counted by the process that committed the end",
            (*tenant_workflow, "status"),
        )
        self.duration = metrics.histogram(
            "workflow_duration_seconds",
            "Time from accepting a workflow instance to its end, waits included, in seconds",
            tenant_workflow,
            buckets=DURATION_BUCKETS,
        )
        self.active = metrics.gauge(
            "workflow_instances_active",
            "Workflow instances in the database that have not ended, those of all replicas; "
            "waiting is for a timer or for a free worker",
            (*tenant_workflow, "status"),
            across_workers="latest",
        )
        self.backlog = metrics.gauge(
            "workflow_backlog",
            "Workflow instances that could run and have no worker yet",
            across_workers="latest",
        )
        self.node_failures = metrics.counter(
            "workflow_node_failures_total",
            "Nodes whose peer gave no result, those that a fallback saved included",
            (*tenant_workflow, "node_type"),
        )
        self.fallbacks = metrics.counter(
            "workflow_node_fallbacks_total", "Nodes that went on with their fallback", ("node_id",)
        )
        self.retries = metrics.counter(
            "workflow_node_retries_total", "Attempts of nodes that were made again", ("node_id",)
        )
        self.takeovers = metrics.counter(
            "workflow_takeovers_total",
            "Workflow instances taken over from a process that let its lease run out",
            tenant_workflow,
        )
        self.breaker_moves = metrics.counter(
            "circuit_breaker_state_changes_total",
            "State changes of the breakers of this process, one per node with a peer",
            ("service", "node_id", "from_state", "to_state"),
        )

    def _preset(self) -> None:
        """Start every closed label set at 0, or increase() would never see its first event."""
        pairs = list(product(TENANTS, WORKFLOWS))
        with_fallback = [n.id for w in WORKFLOWS.values() for n in w.nodes if n.fallback is not None]
        self.instances.preset(*((t, w, s) for (t, w), s in product(pairs, ENDED)))
        self.duration.preset(*pairs)
        self.active.preset(*((t, w, s) for (t, w), s in product(pairs, ACTIVE)))
        self.node_failures.preset(*((t, w, n) for (t, w), n in product(pairs, NodeType)))
        self.fallbacks.preset(*((node_id,) for node_id in with_fallback))
        self.retries.preset(*((node_id,) for node_id in GUARDED))
        self.takeovers.preset(*pairs)
        self.breaker_moves.preset(
            *((SERVICE, node_id, before, after) for node_id in GUARDED for before, after in MOVES)
        )

    def record(self, event: Event) -> None:
        """Count and log what happened; called inside the span that it belongs to, for the exemplars."""
        match event:
            case InstanceEnded():
                self._ended(event)
            case InstanceInterrupted(instance, reason):
                self._log.warning(INTERRUPTED, **_of(instance), reason=reason)
            case InstanceTakenOver(instance):
                self.takeovers.add(1, instance.tenant_id, instance.workflow_id)
                self._log.warning(TAKEN_OVER, **_of(instance), takeovers=instance.takeovers)
            case NodeRetried(instance, node_id, attempt, reason, pause):
                self.retries.add(1, node_id)
                self._log.warning(
                    NODE_RETRIED,
                    **_of(instance),
                    node_id=node_id,
                    attempt=attempt,
                    reason=reason,
                    pause_ms=round(pause * 1000),
                )
            case NodeFailed():
                self._node_failed(event)
            case BreakerMoved():
                self._breaker_moved(event)

    def _ended(self, event: InstanceEnded) -> None:
        instance = event.instance
        self.instances.add(1, instance.tenant_id, instance.workflow_id, event.status)
        self.duration.observe(event.seconds, instance.tenant_id, instance.workflow_id)
        fields = {
            **_of(instance),
            "status": event.status,
            "duration_ms": round(event.seconds * 1000, 1),
            "runs": event.epoch,
            "takeovers": instance.takeovers,
        }
        if event.status is Status.COMPLETED:
            self._log.info(COMPLETED, **fields)
        else:
            self._log.error(FAILED, **fields, failure=event.failure)

    def _node_failed(self, event: NodeFailed) -> None:
        instance = event.instance
        self.node_failures.add(1, instance.tenant_id, instance.workflow_id, event.type)
        if event.fallback:
            self.fallbacks.add(1, event.node_id)
        self._log.warning(
            NODE_FAILED,
            **_of(instance),
            node_id=event.node_id,
            node_type=event.type,
            attempts=event.attempts,
            reason=event.reason,
            fallback=event.fallback,
        )

    def _breaker_moved(self, event: BreakerMoved) -> None:
        self.breaker_moves.add(1, SERVICE, event.node_id, event.before, event.after)
        fields = {
            "node_id": event.node_id,
            "workflow_id": GUARDED.get(event.node_id),
            "from_state": event.before,
            "to_state": event.after,
            "reason": event.reason,
        }
        if event.after is BreakerState.OPEN:
            self._breaker_log.warning(BREAKER_OPENED, **fields)
        elif event.after is BreakerState.CLOSED:
            self._breaker_log.info(BREAKER_CLOSED, **fields)
        else:
            self._breaker_log.info(BREAKER_TRIES, **fields)

    def counted(self, census: Census) -> None:
        """The database was asked what is active."""
        for series in self._counted.keys() - census.active.keys():
            self.active.set(0, *series)
        for series, count in census.active.items():
            if (
                series[0] in TENANTS and series[1] in WORKFLOWS
            ):  # a row of another version must not add labels
                self.active.set(count, *series)
                self._counted[series] = count
        self.backlog.set(census.backlog)

    def unexpected(self, claim: Claim, error: Exception) -> None:
        """A run ended in a way that nobody foresaw."""
        self._log.error(BROKEN, **_of(claim.instance), exc=error)

    def store_unavailable(self, work: str, error: Exception) -> None:
        """The database could not be asked in the background; told once in a while."""
        now = self._clock()
        if now < self._quiet_until:
            self._suppressed += 1
            return
        self._log.warning(STORE_UNAVAILABLE, work=work, reason=str(error), suppressed=self._suppressed)
        self._quiet_until, self._suppressed = now + QUIET_SECONDS, 0

    def loop_broken(self, work: str, error: Exception) -> None:
        """Work in the background failed in a way that nobody foresaw; it goes on."""
        self._log.error(LOOP_BROKEN, work=work, exc=error)

    @contextmanager
    def running(self, claim: Claim) -> Iterator[Span]:
        """Span one run of an instance, linked to the run before; the caller sets result."""
        instance = claim.instance
        with (
            bind(tenant_id=instance.tenant_id),
            span(
                "workflow.run",
                workflow_id=instance.workflow_id,
                instance_id=instance.id,
                tenant_id=instance.tenant_id,
                run=claim.epoch,
                taken_over=claim.taken_over,
            ) as current,
        ):
            before = ids_of(instance.last_run)
            if before is not None:
                current.link(*before)
            yield current

    @contextmanager
    def attempt(self, instance: Instance, node: Node, attempt: int) -> Iterator[Span]:
        """Span one attempt of a node; the caller sets result: ok, error or refused."""
        with span(
            "workflow.node",
            workflow_id=instance.workflow_id,
            node_id=node.id,
            node_type=str(node.type),
            attempt=attempt,
        ) as current:
            yield current

    def settled(self, instance: Instance, states: Sequence[NodeState]) -> None:
        """Span the nodes that have no peer: waits that are over, and branches with what they picked."""
        for state in states:
            if state.status is not NodeStatus.DONE:
                continue
            picked = (state.result or {}).get("choice")
            with span(
                "workflow.node",
                workflow_id=instance.workflow_id,
                node_id=state.node_id,
                node_type=str(state.type),
                attempt=1,
                result="ok",
                choice=picked,
            ):
                pass


def _of(instance: Instance) -> dict[str, object]:
    return {"instance_id": instance.id, "workflow_id": instance.workflow_id, "tenant_id": instance.tenant_id}
