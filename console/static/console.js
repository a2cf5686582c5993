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
