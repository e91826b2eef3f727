// The page works without this script. The script adds the viewer's time zone, keys, the selection and live updates.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

// Times: the server writes them in OPS_TIME_ZONE.
const styles = {
  day: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  exact: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" },
  minute: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
};
for (const name in styles) styles[name] = new Intl.DateTimeFormat("en-GB", styles[name]);

function showTimes(root) {
  for (const time of all("time[data-style]", root)) {
    const style = styles[time.dataset.style];
    if (style) time.textContent = style.format(new Date(time.dateTime)).replace(",", "");
  }
  for (const text of all("text[data-time]", root)) {
    text.textContent = styles.minute.format(new Date(text.dataset.time));
  }
}

// The selection of rows.
const picks = () => all("input[name=id][type=checkbox]");

function showSelection() {
  const count = picks().filter((pick) => pick.checked).length;
  for (const shown of all("[data-count]")) {
    shown.textContent = count === 0 ? "No row selected" : count === 1 ? "1 row selected" : `${count} rows selected`;
  }
  const whole = document.getElementById("pick-all");
  if (whole) {
    whole.checked = count > 0 && count === picks().length;
    whole.indeterminate = count > 0 && count < picks().length;
  }
  showDot();
}

document.addEventListener("change", (event) => {
  if (event.target.id === "pick-all") picks().forEach((pick) => (pick.checked = event.target.checked));
  if (event.target.matches("#pick-all, input[name=id]")) showSelection();
});

// The keys.
let here = -1;

function go(step) {
  const rows = all("tr[data-row]");
  if (rows.length === 0) return;
  here = Math.min(Math.max(here + step, 0), rows.length - 1);
  rows.forEach((row, place) => row.toggleAttribute("data-here", place === here));
  rows[here].querySelector("a").focus({ preventScroll: true });
  rows[here].scrollIntoView({ block: "nearest" });
}

const keys = {
  "/": () => document.getElementById("search").focus(),
  j: () => go(1),
  k: () => go(-1),
  x: () => {
    const pick = all("tr[data-row]")[here]?.querySelector("input[name=id]");
    if (pick) pick.click();
  },
  r: () => all("#actions input:not([type=hidden]), #actions select, #actions button")[0]?.focus(),
  "?": () => document.getElementById("keys")?.showModal(),
};

document.addEventListener("keydown", (event) => {
  const types = event.target.closest("input:not([type=checkbox]), textarea, select, dialog");
  if (event.key === "Escape" && types && !types.matches("dialog")) types.blur();
  if (types || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" && here >= 0 && event.target === document.body) {
    all("tr[data-row]")[here]?.querySelector("a").click();
  }
  const act = keys[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

// Live updates: the gateway says that something changed, and the page loads its own parts again, at most once a second.
// How many milliseconds after the page was opened a notice stays, at least.
const READABLE = 5000;
const dot = document.getElementById("live");
const regions = () => all("[data-live]");
let source = null;
let isConnected = false;
let isStale = false;
let isRefused = false;
let timer = 0;
let poll = 0;

// The value of a box that has none differs from its default value.
const isChanged = (input) => (input.matches("[type=checkbox], [type=radio]") ? input.checked !== input.defaultChecked : input.value !== input.defaultValue);

const isBusy = () =>
  picks().some((pick) => pick.checked) ||
  Boolean(document.querySelector("dialog[open]")) ||
  all("[data-live] input:not([type=hidden])").some(isChanged) ||
  Boolean(document.activeElement?.closest("[data-live] form"));

function showDot() {
  if (!dot || regions().length === 0) return;
  const [text, style] = document.hidden || isBusy() ? ["updates paused", "paused"] : isRefused ? ["stale", "away"] : isConnected ? ["live", ""] : poll ? ["every 10 s", ""] : ["reconnecting", "away"];
  dot.hidden = false;
  if (dot.textContent !== text) dot.textContent = text;
  dot.className = `live ${style}`;
}

async function load() {
  timer = 0;
  if (document.hidden || isBusy()) {
    isStale = true;
    return showDot();
  }
  isStale = false;
  try {
    // A page that answers a form has another address than the page that it shows.
    const address = document.querySelector("[data-source]")?.dataset.source ?? location.href;
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname === "/ops/sign-in") return location.reload();
    isRefused = !answer.ok;
    if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    isConnected = false;
  }
  showDot();
}

// Removes what was said about the last action, once there was time to read it.
function removeNotices() {
  const notices = all(".notice[role=status]");
  setTimeout(() => notices.forEach((notice) => notice.remove()), Math.max(0, READABLE - performance.now()));
}

function replace(loaded) {
  if (isBusy()) {
    isStale = true;
    return;
  }
  const focused = document.activeElement?.id || document.activeElement?.getAttribute("href");
  for (const region of regions()) {
    const fresh = loaded.getElementById(region.id);
    if (!fresh) continue;
    // What was done last is no news any more once something else has happened.
    if (region.id === "why" && fresh.innerHTML !== region.innerHTML) removeNotices();
    for (const opened of all("details[open][id]", region)) {
      fresh.querySelector(`#${CSS.escape(opened.id)}`)?.setAttribute("open", "");
    }
    showTimes(fresh);
    if (fresh.innerHTML !== region.innerHTML) region.replaceWith(fresh);
  }
  if (focused && document.activeElement === document.body) {
    (document.getElementById(focused) || document.querySelector(`[data-live] a[href="${CSS.escape(focused)}"]`))?.focus({ preventScroll: true });
  }
  if (here >= 0) all("tr[data-row]")[here]?.toggleAttribute("data-here", true);
  showSelection();
}

function changed() {
  if (!timer) timer = setTimeout(load, 1000);
}

function connect() {
  source = new EventSource("/ops/live");
  source.onopen = () => {
    isConnected = true;
    clearInterval(poll);
    poll = 0;
    changed();
    showDot();
  };
  source.onmessage = changed;
  source.onerror = () => {
    isConnected = false;
    // The gateway has too many streams, or refuses this one: the browser does not try again by itself.
    if (source.readyState === EventSource.CLOSED && !poll) {
      poll = setInterval(load, 10000);
      setTimeout(connect, 60000);
    }
    showDot();
  };
}

function resume() {
  if (isStale && !document.hidden) changed();
  showDot();
}

if (dot && regions().length > 0) {
  connect();
  // The progress of a repair is no event.
  setInterval(() => document.querySelector("[data-poll]") && changed(), 2000);
  document.addEventListener("visibilitychange", resume);
  document.addEventListener("change", resume);
  document.addEventListener("focusout", () => setTimeout(resume, 0));
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && connect());
}

// The menu of the operator closes with a click elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of all("details.who[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// What was done is said once, and not again when the page is loaded again.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}

for (const hidden of all(".needs-script")) hidden.hidden = false;
for (const note of all("[data-zone]")) note.textContent = `Times are yours (${zone}); hover for UTC.`;
showTimes(document);
showSelection();
