"""What the sandbox's pages have in common: their style, and words for levels and outcomes."""

from collections.abc import Mapping
from typing import Final

from nicegui import ui

from console.sandbox.run import Run

LEVELS: Final[Mapping[int, str]] = {1: "first day", 2: "some practice", 3: "tricky"}
OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    "solved": ("solved", "fd-good"),
    "gave up": ("given up", "fd-warn"),
    "too late": ("too late", "fd-bad"),
    "void": ("not counted", ""),
}

_STYLE: Final = """
.sb-cards { display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)) }
.sb-card { display: flex; flex-direction: column; gap: 8px; }
.sb-card p, .sb-story { margin: 0; max-width: 75ch; }
.sb-card .sb-foot { margin-top: auto; }
.sb-room { display: grid; gap: 16px; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr);
  align-items: start; }
.sb-stack { display: flex; flex-direction: column; gap: 16px; min-width: 0; }
.sb-stack > :empty { display: none; }
.fd-main .sb-story { margin-bottom: 16px; }
.fd-main .sb-card p { margin: 0; }
.fd-main h1 { margin-bottom: 8px; } .fd-head h1 { margin: 0; }
.sb-wait { display: flex; align-items: center; gap: 12px; min-height: 64px; }
.sb-dot { width: 12px; height: 12px; border-radius: 50%; background: var(--fd-warn); flex: none;
  animation: sb-pulse 1.6s ease-in-out infinite; }
@keyframes sb-pulse { 50% { opacity: 0.25; } }
.sb-page { border-left: 4px solid var(--fd-bad); }
.sb-page pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 8px 0; font-size: 13px; }
.sb-question { border-top: 1px solid var(--fd-line); padding-top: 12px; margin-top: 12px; }
.sb-question:first-of-type { border-top: 0; padding-top: 0; margin-top: 0; }
.sb-choices { border: 0; margin: 6px 0; padding: 0; min-width: 0; }
.sb-choices legend { padding: 0; font-weight: 600; }
.sb-choices label { display: flex; gap: 8px; align-items: flex-start; padding: 5px 0; cursor: pointer; }
.sb-choices input { margin: 3px 0 0; accent-color: var(--fd-accent); flex: none; width: 16px; height: 16px; }
.sb-choices input[disabled] + * { opacity: 0.55; }
.sb-said { margin: 4px 0 0; padding: 4px 0 4px 10px; border-left: 3px solid var(--fd-line); }
.sb-said.fd-good { border-color: var(--fd-good); } .sb-said.fd-bad { border-color: var(--fd-bad); }
.sb-choices input[disabled] + .sb-right { opacity: 1; font-weight: 600; }
.sb-question .sb-said + .fd-button { margin-top: 8px; }
.sb-said span { color: var(--fd-text); }
.sb-actions { display: flex; flex-direction: column; gap: 8px; }
.sb-actions .fd-button { text-align: left; padding: 6px 12px; }
.sb-log { list-style: none; margin: 0; padding: 0; font-size: 13.5px; }
.sb-log li { display: grid; grid-template-columns: 72px 1fr; gap: 8px; padding: 2px 0; }
.sb-log fd-time { color: var(--fd-quiet); font-variant-numeric: tabular-nums; }
.sb-score { font-size: 40px; line-height: 1.1; font-weight: 650; font-variant-numeric: tabular-nums; }
.sb-path { margin: 0; padding-left: 22px; } .sb-path li { padding: 4px 0; }
.sb-path .fd-mono { display: block; overflow-wrap: anywhere; color: var(--fd-quiet); margin-top: 2px; }
.sb-times { display: grid; gap: 8px; grid-template-columns: repeat(auto-fit, minmax(110px, 1fr)); }
.sb-times strong { display: block; font-size: 18px; font-variant-numeric: tabular-nums; }
.sb-query { width: 100%; min-height: 64px; resize: vertical; font-family: var(--fd-mono); }
.sb-chart { height: 340px; width: 100%; }
@media (max-width: 900px) { .sb-room { grid-template-columns: minmax(0, 1fr); } }
"""


def style() -> None:
    """Add the style to the page that is being built."""
    ui.add_head_html(f"<style>{_STYLE}</style>")


def outcome(run: Run) -> tuple[str, str]:
    """The word for how a run stands, and its class."""
    return OUTCOMES.get(run.outcome, ("goes on", "fd-warn"))


def span(seconds: float | None) -> str:
    """A duration for people; none has not come."""
    if seconds is None:
        return "none"
    if seconds < 120:
        return f"{max(0.0, seconds):.0f} s"
    return f"{seconds / 60:.1f} min"
