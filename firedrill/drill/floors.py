"""The traffic floor of every alert on a ratio: so few events say nothing, and one error never pages.

With 20 events a single error is already 5%, over every ratio's limit here; five failures are a pattern
and not an accident. The numbers stand in the rules (PromQL has no constants) and a contract test holds
every ratio to them; they are counts that a window must hold, so the demo pace does not divide them.
"""

EVENTS = 20
FAILURES = 5
