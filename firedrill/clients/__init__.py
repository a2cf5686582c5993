"""Small HTTP clients for the backends, as verify, ask and drills need them.

BackendError (of firedrill.errors.FiredrillError)
├── Unreachable   nothing answers at the address, or not in time
└── Refused       the backend answered with an error; `why` is the backend's own message
"""

from firedrill.clients.alertmanager import Alertmanager
from firedrill.clients.http import Backend, BackendError, Refused, Unreachable, open_http
from firedrill.clients.loki import LogAnswer, LogLine, Loki
from firedrill.clients.prometheus import Answer, Exemplar, Prometheus, Rule, RuleGroup, Series, Target
from firedrill.clients.traces import Jaeger, Span, Tempo, Trace, TraceBackend

__all__ = [
    "Alertmanager",
    "Answer",
    "Backend",
    "BackendError",
    "Exemplar",
    "Jaeger",
    "LogAnswer",
    "LogLine",
    "Loki",
    "Prometheus",
    "Refused",
    "Rule",
    "RuleGroup",
    "Series",
    "Span",
    "Target",
    "Tempo",
    "Trace",
    "TraceBackend",
    "Unreachable",
    "open_http",
]
