// What runs in the browser beside NiceGUI: the theme before the first paint, times in the viewer's zone,
// and telling the server whether the page is looked at.
"use strict";

const fdThemes = ["", "light", "dark"];
const fdSystem = window.matchMedia("(prefers-color-scheme: dark)");

function fdTheme() {
  const found = document.cookie.match(/(?:^|; )firedrill_theme=(light|dark)/);
  return found ? found[1] : "";
}

function fdShowTheme() {
  const dark = fdTheme() ? fdTheme() === "dark" : fdSystem.matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

function fdNextTheme() {
  const next = fdThemes[(fdThemes.indexOf(fdTheme()) + 1) % fdThemes.length];
  document.cookie = `firedrill_theme=${next}; Path=/; Max-Age=31536000; SameSite=Strict`;
  fdShowTheme();
  if (typeof setDark === "function") setDark(next ? next === "dark" : null);
}

fdShowTheme();
fdSystem.addEventListener("change", fdShowTheme);

// On a phone the navigation is wider than the screen: where one is has to be in sight.
new MutationObserver((_, watching) => {
  const here = document.querySelector('.fd-nav [aria-current="page"]');
  if (!here) return;
  watching.disconnect();
  const nav = here.parentElement, place = here.getBoundingClientRect(), seen = nav.getBoundingClientRect();
  nav.scrollLeft += place.left + place.width / 2 - seen.left - seen.width / 2;
}).observe(document.documentElement, { childList: true, subtree: true });

const fdClock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const fdDay = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short",
});

function fdAgo(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

// <fd-time at="unix milliseconds" look="time|full|ago|age">: "ago" says "5 s ago", "age" says "5 s".
class FdTime extends HTMLElement {
  static observedAttributes = ["at", "look"];

  connectedCallback() {
    this.show();
    const look = this.getAttribute("look");
    if (look === "ago" || look === "age") this.timer = setInterval(() => this.show(), 1000);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  attributeChangedCallback() {
    this.show();
  }

  show() {
    const at = Number(this.getAttribute("at"));
    if (!Number.isFinite(at) || at <= 0) return;
    const when = new Date(at);
    const look = this.getAttribute("look");
    const ago = fdAgo(Date.now() - at);
    const words = { ago: `${ago} ago`, age: ago, full: fdDay.format(when) }[look] || fdClock.format(when);
    if (this.textContent !== words) this.textContent = words;
    this.title = fdDay.format(when);
  }
}
customElements.define("fd-time", FdTime);

// Says by the event "seen" whether the page is looked at: a hidden page asks nothing of the backends.
document.addEventListener("visibilitychange", () => {
  for (const one of document.querySelectorAll(".fd-seen")) {
    one.dispatchEvent(new CustomEvent("seen", { detail: !document.hidden }));
  }
});

// Numbers with units for axes and tooltips, as console/boards/units.py writes them for texts.
const fdScales = {
  short: [[1e12, " T"], [1e9, " B"], [1e6, " M"], [1e3, " K"]],
  bytes: [[2 ** 40, " TiB"], [2 ** 30, " GiB"], [2 ** 20, " MiB"], [2 ** 10, " KiB"]],
  time: [[86400, " d"], [3600, " h"], [120, " min", 60], [1, " s"], [1e-3, " ms"], [1e-6, " µs"]],
};
const fdRates = { reqps: " req/s", ops: " ops/s", Bps: " B/s" };
const fdCurrencies = { currencyUSD: "$", currencyKRW: "₩", currencyEUR: "€" };

function fdPlain(value, decimals) {
  if (decimals !== null && decimals !== undefined) return value.toFixed(decimals);
  const size = Math.abs(value);
  const figures = size >= 100 || value === 0 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3;
  return String(Number(value.toFixed(figures)));
}

function fdScaled(value, scales, decimals, otherwise) {
  for (const [size, name, divisor] of scales) {
    if (Math.abs(value) >= size) return fdPlain(value / (divisor || size), decimals) + name;
  }
  return otherwise(value);
}

function fdNumber(given, unit, decimals) {
  const value = Array.isArray(given) ? given[given.length - 1] : given;
  if (value === null || value === undefined || value === "-" || Number.isNaN(Number(value))) return "\u2013";
  const plain = (end) => (one) => fdPlain(one, decimals) + end;
  if (unit === "s" || unit === "ms") {
    const seconds = unit === "ms" ? value / 1000 : Number(value);
    if (seconds === 0) return "0 s";
    return fdScaled(seconds, fdScales.time, decimals, (one) => fdPlain(one * 1e6, decimals) + " µs");
  }
  if (unit === "percentunit") return fdPlain(value * 100, decimals) + "%";
  if (unit === "percent") return fdPlain(Number(value), decimals) + "%";
  if (unit in fdCurrencies) return fdCurrencies[unit] + fdScaled(Number(value), fdScales.short, decimals, plain(""));
  if (unit === "bytes") return fdScaled(Number(value), fdScales.bytes, decimals, plain(" B"));
  return fdScaled(Number(value), fdScales.short, decimals, plain("")) + (fdRates[unit] || "");
}

// A click on an exemplar opens its trace.
function fdOpenTrace(event) {
  const trace = event && event.data && event.data.trace;
  if (typeof trace === "string" && /^[0-9a-f]{16,32}$/.test(trace)) window.location.href = "/traces/" + trace;
}
