"""The parts of workflow joined around fakes, with all signals in memory."""

import random
import uuid
from dataclasses import dataclass, field

from services.workflow.breaker import Limits, breakers
from services.workflow.catalogue import GUARDED, WORKFLOWS
from services.workflow.domain import Case, Claim, NewInstance, NodeType
from services.workflow.engine import Engine
from services.workflow.runner import Runner
from services.workflow.signals import Signals
from services.workflow.worker import Patience, Worker
from tests.unit.judgment.recorder import Recorder
from tests.unit.workflow.fakes import START, Clock, FakePeer, FakeStore


@dataclass
class Rig:
    """An engine in which everything works, until a test breaks something."""

    recorder: Recorder = field(default_factory=Recorder)
    clock: Clock = field(default_factory=Clock)
    store: FakeStore = field(default_factory=FakeStore)
    judge: FakePeer = field(default_factory=FakePeer)
    partner: FakePeer = field(default_factory=lambda: FakePeer([{"reference": "ERP-1"}]))

    def __post_init__(self) -> None:
        self.signals = Signals(self.recorder.metrics, clock=self.clock)
        self.breakers = breakers(GUARDED, Limits(), clock=self.clock, moved=self.signals.record)
        self.worker = Worker(
            self.signals,
            {NodeType.JUDGE: self.judge, NodeType.CALL: self.partner},
            self.breakers,
            limits={NodeType.JUDGE: 0.2, NodeType.CALL: 0.2},
            patience=Patience(),
            chance=random.Random(7),
            pause=self.clock.nap,
        )
        self.engine = Engine(
            self.signals,
            self.store,
            self.worker,
            WORKFLOWS,
            clock=self.clock,
            lease_seconds=10.0,
            sleep=self.clock.nap,
        )
        self.runner = Runner(
            self.engine, self.store, self.signals, max_running=4, max_queued=3, lease_seconds=10.0
        )

    async def begin(self, workflow_id: str = "defect-triage", **changes: float | str | bool) -> Claim:
        """A claim of a new instance."""
        case: Case = {one.name: one.default for one in WORKFLOWS[workflow_id].fields}
        new = NewInstance(str(uuid.uuid4()), "acme", workflow_id, {**case, **changes})
        return self.store.take(await self.store.create(new))

    async def run(self, claim: Claim) -> None:
        """Run an instance to its end, timers included."""
        while (seconds := await self.engine.run(claim)) is not None:
            await self.clock.nap(seconds)
            claim = self.store.take(self.store.kept[claim.instance.id], now=self.clock.now())

    @property
    def messages(self) -> list[str]:
        """The log lines' messages so far."""
        return [str(line["message"]) for line in self.recorder.logs]


__all__ = ["START", "Rig"]
