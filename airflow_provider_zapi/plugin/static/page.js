// The page "WhatsApp privacy". It owns no data: it asks Airflow's public REST API with the visitor's own session.
//
// The API's answers contain strings that somebody wrote: ids, names, classes of errors. The page shows them only as text
// nodes, never as markup, and builds links from encoded parts below Airflow's own address.
"use strict";

const AIRFLOW = new URL("../", location.href); // also works if the base URL has a path
const API = new URL("api/v2/", AIRFLOW);
const KEY = "zapi_privacy"; // reconcile/state.py
const SCHEMA = 1;
const PAGE = 100; // assets in one answer of the API
const AT_ONCE = 6; // requests
const EVENTS = 20;
const MAX_TEXT = 300; // the most characters of a string that are shown

// The settings' names for people. They are the same as in privacy/settings.py, and a test compares them.
const TITLES = new Map([
  ["last_seen", "last seen"],
  ["photo", "profile photo"],
  ["description", "description"],
  ["group_add", "who may add to groups"],
  ["online", "online"],
  ["read_receipts", "read receipts"],
  ["messages_duration", "default message duration"],
]);

// The most urgent states come first. Class names come from here and never from data.
const STATES = new Map([
  ["drift", { label: "drift", kind: "bad", rank: 0 }],
  ["failed", { label: "last run failed", kind: "bad", rank: 1 }],
  ["stale", { label: "stale", kind: "late", rank: 2 }],
  ["pending", { label: "not applied", kind: "late", rank: 3 }],
  ["fine", { label: "as wanted", kind: "good", rank: 4 }],
  ["fleet", { label: "fleet run", kind: "idle", rank: 5 }],
  ["nothing", { label: "nothing known", kind: "idle", rank: 6 }],
]);

const byId = (id) => document.getElementById(id);
const shown = new Set(); // the states to show; empty for all
const cards = new Map(); // asset id -> { node, same }
let numbers = [];
let timer = 0;

class Refused extends Error {
  constructor(status) { super(`HTTP ${status}`); this.status = status; }
}

// Text and elements

function text(value) {
  const found = typeof value === "string" ? value : value == null ? "" : String(value);
  return found.length > MAX_TEXT ? `${found.slice(0, MAX_TEXT)}…` : found;
}

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null)); // strings become text nodes
  return node;
}

// bdi: a name that is written from right to left must not change the direction of the text next to it.
const name = (value) => el("bdi", {}, text(value));

function when(value) {
  const moment = moments(value);
  if (moment === null) return el("span", {}, "–");
  const iso = new Date(moment).toISOString();
  return el("time", { datetime: iso, title: iso.replace("T", " ").slice(0, 19) + " UTC" }, age(moment));
}

function moments(value) {
  const moment = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(moment) ? null : moment;
}

function age(moment) {
  const minutes = Math.round((Date.now() - moment) / 60000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 48 * 60) return `${Math.round(minutes / 60)} h ago`;
  return `${Math.round(minutes / 1440)} days ago`;
}

// Links to Airflow's own pages

// Null for a part that would lead to another place, because browsers resolve ".." in every encoding.
function path(...parts) {
  if (parts.some((part) => /^\.{1,2}$/.test(String(part)))) return null;
  return new URL(parts.map((part) => encodeURIComponent(String(part))).join("/"), AIRFLOW).href;
}

function link(href, label) {
  if (href === null) return el("span", {}, label);
  const anchor = el("a", { href }, label);
  anchor.addEventListener("click", (event) => {
    if (window.parent === window || event.button !== 0) return;
    // Airflow shows this page in a frame that may not navigate the window or open another one. The frame has the same
    // origin, so the click is passed to the document around it.
    try {
      const outside = window.parent.document;
      const copy = outside.createElement("a");
      copy.href = href;
      if (event.ctrlKey || event.metaKey || event.shiftKey) copy.target = "_blank";
      copy.rel = "noopener";
      outside.body.append(copy);
      copy.click();
      copy.remove();
      event.preventDefault();
    } catch { /* a frame of another site: let the browser decide */ }
  });
  return anchor;
}

function by(who) {
  const { dag_id: dag, run_id: run, task_id: task, map_index: index } = object(who);
  if (typeof dag !== "string" || !dag) return el("span", {}, "–");
  const links = [link(path("dags", dag), name(dag))];
  if (typeof run === "string" && run) {
    const base = ["dags", dag, "runs", run];
    links.push(" · ", link(path(...base), "run"));
    if (typeof task === "string" && task) {
      const mapped = Number.isInteger(index) && index >= 0 ? ["mapped", index] : [];
      const label = el("span", {}, "task ", name(task), mapped.length ? ` [${index}]` : "");
      links.push(" · ", link(path(...base, "tasks", task, ...mapped), label));
    }
  }
  return el("span", {}, ...links);
}

// Airflow's answers

const object = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? value : {});
const list = (value) => (Array.isArray(value) ? value : []);
const whole = (value) => (Number.isInteger(value) ? value : 0);

async function ask(where, parameters = {}) {
  const url = new URL(where, API);
  for (const [key, value] of Object.entries(parameters)) url.searchParams.set(key, value);
  const answer = await fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Refused(answer.status);
  return object(await answer.json());
}

async function assets(onlyActive) {
  const found = [];
  for (let offset = 0; ; offset += PAGE) {
    const answer = await ask("assets", {
      uri_pattern: "zapi://", only_active: onlyActive, order_by: "id", limit: PAGE, offset,
    });
    const page = list(answer.assets);
    found.push(...page.filter((asset) => typeof asset.uri === "string" && asset.uri.startsWith("zapi://")));
    if (page.length < PAGE) return found;
  }
}

async function each(things, work) {
  const queue = [...things];
  const worker = async () => { while (queue.length) await work(queue.shift()); };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function stored(asset) {
  // Read the whole list, because reading a single key that does not exist would be an error in the browser's console.
  const entries = list((await ask(`assets/${whole(asset.id)}/state-store`, { limit: PAGE })).asset_state_store);
  const value = object(object(entries.find((entry) => object(entry).key === KEY)).value);
  return value.schema === SCHEMA ? value : null;
}

async function events(asset, limit) {
  const answer = await ask("assets/events", { asset_id: whole(asset.id), order_by: "-timestamp", limit });
  return list(answer.asset_events).map(ofEvent);
}

// Return an event in the form of a stored state. It shows a change, but not drift.
function ofEvent(event) {
  const extra = new Map(Object.entries(object(event.extra)));
  const who = {
    dag_id: event.source_dag_id, run_id: event.source_run_id,
    task_id: event.source_task_id, map_index: event.source_map_index,
  };
  const settings = new Map();
  const lists = {};
  const outcomes = new Map(); // for a fleet run: the number of instances with each outcome
  for (const [key, value] of extra) {
    if (key.startsWith("outcome.")) outcomes.set(key.slice("outcome.".length), value);
    if (!key.startsWith("asserted.")) continue;
    const setting = key.slice("asserted.".length);
    const kept = extra.get(`${setting}.kept`);
    const [added, removed] = [extra.get(`${setting}.added`), extra.get(`${setting}.removed`)];
    const read = Number.isInteger(kept);
    settings.set(setting, {
      wanted: value, asserted: value, asserted_at: event.timestamp, verified_at: read ? event.timestamp : null,
      listed: read ? kept + whole(added) : null, drift: null, by: who,
    });
    if (added || removed) lists[setting] = { added, removed };
  }
  const outcome = outcomes.size && !settings.size ? "fleet" : "changed";
  const last = { at: event.timestamp, mode: "apply", outcome, lists, outcomes: Object.fromEntries(outcomes), by: who };
  return { settings: Object.fromEntries(settings), last, history: [last] };
}

async function read() {
  const version = text((await ask("version")).version).split(".").map(Number);
  const keepsState = version[0] > 3 || (version[0] === 3 && version[1] >= 3);
  const active = await assets(true);
  const ids = new Set(active.map((asset) => asset.id));
  const all = await assets(false);
  const found = [];
  await each(all, async (asset) => {
    let state = keepsState && ids.has(asset.id) ? await stored(asset) : null;
    const source = state === null ? "event" : "state";
    if (state === null && object(asset.last_asset_event).timestamp) [state = null] = await events(asset, 1);
    const connection = asset.uri.slice("zapi://".length).replace(/\/privacy$/, "");
    found.push({ asset, source, active: ids.has(asset.id), connection: decoded(connection), state: object(state) });
  });
  // Leave out numbers that no task names any longer and about which nothing is stored.
  return { keepsState, numbers: found.filter((number) => number.active || number.state.last) };
}

function decoded(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

// What it means

function stateOfSetting(setting, staleMs) {
  if (setting.drift !== null && typeof setting.drift === "object") return "drift";
  const seen = [setting.asserted_at, setting.checked_at, setting.verified_at].map(moments).filter((at) => at !== null);
  if (!seen.length || Date.now() - Math.max(...seen) > staleMs) return "stale";
  return setting.asserted === setting.wanted ? "fine" : "pending";
}

function stateOf(number, staleMs) {
  const settings = Object.values(object(number.state.settings)).map(object);
  const states = settings.map((setting) => stateOfSetting(setting, staleMs));
  if (object(number.state.last).outcome === "failed") states.push("failed");
  if (!states.length) return object(number.state.last).outcome === "fleet" ? "fleet" : "nothing";
  return states.reduce((worst, each) => (STATES.get(each).rank < STATES.get(worst).rank ? each : worst));
}

const drifted = (drift) => {
  const parts = [[drift.missing, "missing"], [drift.extra, "too many"], [drift.undecided, "undecided"]];
  return parts.filter(([count]) => whole(count) > 0).map(([count, word]) => `${count} ${word}`).join(", ") || "differs";
};
const titled = (setting) => TITLES.get(setting) ?? text(setting);

// What is shown

function badge(state, label = STATES.get(state).label) {
  return el("span", { class: `badge ${STATES.get(state).kind}` }, label);
}

function settingRow([setting, given], staleMs) {
  const entry = object(given);
  const state = stateOfSetting(entry, staleMs);
  const detail = state === "drift" ? `drift: ${drifted(entry.drift)}`
    : state === "fine" ? (entry.verified_at ? "verified" : "asserted") : STATES.get(state).label;
  const cell = (label, attributes, ...children) => el("td", { "data-label": label, ...attributes }, el("span", {}, ...children));
  return el("tr", {},
    el("th", { scope: "row" }, el("bdi", {}, titled(setting))),
    cell("wanted", {}, name(entry.wanted)),
    cell("state", {}, badge(state, detail)),
    cell("on list", { class: "count" }, Number.isInteger(entry.listed) ? String(entry.listed) : "–"),
    cell("asserted", {}, when(entry.asserted_at)),
    cell("verified", {}, when(entry.verified_at)),
    cell("by", {}, by(entry.by)));
}

function settingsTable(settings, staleMs) {
  const order = [...TITLES.keys()];
  const place = ([setting]) => (order.indexOf(setting) + order.length + 1) % (order.length + 1);
  const rows = Object.entries(settings).sort((one, other) => place(one) - place(other));
  const head = ["setting", "wanted", "state", "on list", "asserted", "verified", "by"];
  return el("table", { class: "settings" },
    el("thead", {}, el("tr", {}, ...head.map((each) =>
      el("th", { scope: "col", class: each === "on list" ? "count" : null }, each)))),
    el("tbody", {}, ...rows.map((row) => settingRow(row, staleMs))));
}

function told(event) {
  const lists = Object.entries(object(event.lists)).map(([setting, counts]) =>
    `${titled(setting)} +${whole(object(counts).added)} −${whole(object(counts).removed)}`);
  const values = list(event.values).map((setting) => `${titled(setting)} set`);
  const drifts = Object.entries(object(event.drift)).map(([setting, drift]) => `${titled(setting)} ${drifted(object(drift))}`);
  switch (event.outcome) {
    case "changed": return ["fine", "changed", [...lists, ...values]];
    case "drift": return ["drift", "drift", drifts];
    case "fleet": return ["fleet", "fleet run",
      Object.entries(object(event.outcomes)).map(([outcome, count]) => `${whole(count)} ${outcome.replaceAll("_", " ")}`)];
    case "failed": return ["failed", `${event.mode === "plan" ? "plan" : "apply"} failed`, [text(event.error)]];
    default: return ["fine", "as wanted again", lists];
  }
}

function historyList(history) {
  return el("ul", { class: "history" }, ...history.map((given) => {
    const event = object(given);
    const [state, label, parts] = told(event);
    return el("li", {}, when(event.at), badge(state, label),
      parts.length ? el("bdi", {}, text(parts.join(", "))) : null, by(event.by));
  }));
}

function body(number, staleMs) {
  const settings = object(number.state.settings);
  const node = el("div", { class: "body" });
  const fleet = object(number.state.last).outcome === "fleet";
  if (Object.keys(settings).length) node.append(settingsTable(settings, staleMs));
  else node.append(el("p", { class: "idle" }, fleet ? "A fleet run does not store the state of each number of the account, only the count of each outcome."
    : "No run has stored anything about this number yet."));
  if (!number.active && !fleet) {
    node.append(el("p", { class: "idle" },
      "No DAG file names this connection, so Airflow does not store its state. You see what the last change set."));
  }
  const history = list(number.state.history);
  if (history.length) {
    const holder = el("div", {}, el("h2", {}, "History"), historyList(history));
    node.append(holder);
    if (number.source === "event") {
      events(number.asset, EVENTS)
        .then((all) => holder.lastChild.replaceWith(historyList(all.map((each) => each.last))))
        .catch(() => {}); // keep showing the newest event
    }
  }
  return node;
}

function card(number, state, staleMs) {
  const settings = Object.entries(object(number.state.settings));
  const last = object(number.state.last);
  const badges = settings
    .filter(([, setting]) => stateOfSetting(object(setting), staleMs) === "drift")
    .map(([setting, { drift }]) => badge("drift", `${titled(setting)}: ${drifted(drift)}`));
  if (last.outcome === "failed") badges.push(badge("failed", `last run failed: ${text(last.error)}`));
  if (!badges.length) badges.push(badge(state));
  const node = el("details", { class: `number ${STATES.get(state).kind}` },
    el("summary", {}, el("div", { class: "line" },
      el("span", { class: "name" }, name(number.connection)), ...badges,
      el("span", { class: "age" }, last.at ? "last run " : "", last.at ? when(last.at) : ""))));
  let filled = false;
  node.addEventListener("toggle", () => {
    if (node.open && !filled) { filled = true; node.append(body(number, staleMs)); }
  });
  return node;
}

function staleMs() { return Number(byId("stale").value) * 3600000; }

function wanted(number) {
  const find = byId("find").value.trim().toLowerCase();
  const setting = byId("setting").value;
  const settings = object(number.state.settings);
  if (setting && !Object.hasOwn(settings, setting)) return false;
  const dags = Object.values(settings).map((each) => text(object(object(each).by).dag_id));
  return !find || [number.connection, ...dags].some((each) => each.toLowerCase().includes(find));
}

function draw() {
  const focused = document.activeElement;
  const [held] = [...cards].find(([, each]) => each.node.contains(focused)) ?? [];
  const limit = staleMs();
  const rows = numbers.filter(wanted).map((number) => ({ number, state: stateOf(number, limit) }));
  const counts = new Map();
  for (const { state } of rows) counts.set(state, (counts.get(state) ?? 0) + 1);
  drawChips(counts);
  const picked = rows.filter(({ state }) => !shown.size || shown.has(state));
  picked.sort((one, other) => STATES.get(one.state).rank - STATES.get(other.state).rank
    || one.number.connection.localeCompare(other.number.connection));
  const nodes = picked.map(({ number, state }) => {
    // Keep a card that would look the same, so that its open sections and the focus stay.
    const same = JSON.stringify([number, state, limit]);
    const known = cards.get(number.asset.id);
    if (known && known.same === same) { fresh(known.node); return known.node; }
    const node = card(number, state, limit);
    node.open = known ? known.node.open : STATES.get(state).kind === "bad";
    cards.set(number.asset.id, { node, same });
    return node;
  });
  const main = byId("numbers");
  if (!nodes.length) {
    main.replaceChildren(el("p", { class: "empty" }, numbers.length ? "No number matches the filters."
      : "No numbers yet. A task with ApplyPrivacyPolicyOperator adds its connection here."));
  } else if (nodes.length !== main.children.length || nodes.some((node, at) => main.children[at] !== node)) {
    main.replaceChildren(...nodes);
    if (main.contains(focused)) focused.focus();
    else cards.get(held)?.node.querySelector("summary").focus();
  }
}

function fresh(node) {
  for (const time of node.querySelectorAll("time")) time.textContent = age(Date.parse(time.dateTime));
}

function drawChips(counts) {
  const holder = byId("chips");
  for (const [state, { label, kind }] of STATES) {
    let chip = holder.querySelector(`[data-state=${state}]`);
    if (!chip) {
      chip = el("button", { type: "button", class: kind, "data-state": state, "aria-pressed": "false" });
      chip.addEventListener("click", () => {
        if (!shown.delete(state)) shown.add(state);
        chip.setAttribute("aria-pressed", String(shown.has(state)));
        draw();
      });
      holder.append(chip);
    }
    const count = counts.get(state) ?? 0;
    chip.textContent = `${count} ${label}`;
    chip.hidden = !count && !shown.has(state);
  }
}

function notice(message) {
  byId("notice").hidden = !message;
  byId("notice").textContent = message;
}

async function refresh() {
  clearTimeout(timer);
  try {
    const found = await read();
    numbers = found.numbers;
    notice(found.keepsState ? "" : "Only Airflow 3.3 and newer stores state with assets. This page shows the last change "
      + "of each number, but not drift, and not runs that changed nothing.");
    byId("fresh").textContent = `Read at ${new Date().toLocaleTimeString()}`;
    draw();
  } catch (error) {
    const status = error instanceof Refused ? error.status : 0;
    notice(status === 401 ? "Your session has ended. Log in to Airflow again, then reload."
      : status === 403 ? "You are not allowed to see assets in this Airflow. Ask for the permission to read assets."
      : `Airflow's REST API could not be read (${status ? `HTTP ${status}` : "no answer"}). Trying again.`);
  }
  // The interval must suit a large fleet, because each number needs a request.
  timer = setTimeout(() => (document.hidden ? wake() : refresh()), numbers.length > 50 ? 120000 : 15000);
}

function wake() {
  document.addEventListener("visibilitychange", refresh, { once: true });
}

// Use the light or dark mode of the Airflow page around this one, or else that of the system.
function theme() {
  let dark = matchMedia("(prefers-color-scheme: dark)").matches;
  try {
    const around = window.parent === window ? null : window.parent.document.documentElement;
    if (around && (around.classList.contains("dark") || around.classList.contains("light"))) {
      dark = around.classList.contains("dark");
    }
  } catch { /* a frame of another site */ }
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

function start() {
  theme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
  try {
    const around = window.parent.document.documentElement;
    new MutationObserver(theme).observe(around, { attributes: true, attributeFilter: ["class"] });
  } catch { /* a frame of another site */ }
  for (const [setting, title] of TITLES) byId("setting").append(el("option", { value: setting }, title));
  const remembered = localStorage.getItem("zapi-privacy-stale");
  if ([...byId("stale").options].some((option) => option.value === remembered)) byId("stale").value = remembered;
  byId("stale").addEventListener("change", () => {
    localStorage.setItem("zapi-privacy-stale", byId("stale").value);
    draw();
  });
  byId("find").addEventListener("input", draw);
  byId("setting").addEventListener("change", draw);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("refresh").addEventListener("click", refresh);
  refresh();
}

start();
