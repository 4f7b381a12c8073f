// The table of models: filtered, sorted, and drawn a part at a time.

const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows;
const find = (id) => document.getElementById(id);
const heads = [...document.querySelectorAll("#table th[data-key]")];
const body = document.querySelector("#table tbody");
const opened = new Set();
const PART = 200;
const state = { key: "", down: false, limit: PART, found: [] };
const hay = rows.map((r) => [r.name, r.search, r.status, r.cause, r.change, ...(r.tags ?? [])].join(" ").toLowerCase());

const words = {
  status: (r) => data.statuses.indexOf(r.status), name: (r) => r.name, change: (r) => r.change, tags: (r) => (r.tags ?? []).join(" "),
};
const order = new Intl.Collator("en", { numeric: true }).compare;

// What needs attention comes first: what got worse, what is not as expected.
const attention = (r) => (r.worse ? 0 : r.ok ? 2 : 1);

function sorted(found) {
  const key = state.key;
  if (!key) return found.sort((a, b) => attention(rows[a]) - attention(rows[b]) || a - b);
  const value = words[key] ?? ((r) => num(r[key]));
  const keys = found.map((i) => value(rows[i]));
  const place = new Map(found.map((i, k) => [i, keys[k]]));
  const absent = (v) => v === undefined || v === "" || Number.isNaN(v);
  const sign = state.down ? -1 : 1;
  return found.sort((a, b) => {
    const [x, y] = [place.get(a), place.get(b)];
    if (absent(x) || absent(y)) return absent(x) - absent(y) || a - b;
    return sign * (typeof x === "string" ? order(x, y) : x === y ? 0 : x - y) || a - b;
  });
}

function update() {
  const wanted = find("text").value.toLowerCase().split(/\s+/).filter(Boolean);
  const statuses = new Set([...document.querySelectorAll("#statuses input:checked")].map((i) => i.value));
  const [tag, unexpected, changed] = [find("tag").value, find("unexpected").checked, find("changed")?.checked];
  const fits = (r, i) => (!statuses.size || statuses.has(r.status)) && (!tag || r.tags?.includes(tag)) &&
    (!unexpected || !r.ok) && (!changed || r.change) && wanted.every((w) => hay[i].includes(w));
  state.found = sorted([...rows.keys()].filter((i) => fits(rows[i], i)));
  draw();
}

function draw() {
  const part = state.found.slice(0, state.limit);
  body.replaceChildren(...part.flatMap((i) => (opened.has(i) ? [line(i), more(i)] : [line(i)])));
  const left = state.found.length - part.length;
  const told = part.length < state.found.length ? `, the first ${part.length} shown` : "";
  find("shown").textContent = `${state.found.length.toLocaleString("en")} of ${many(rows.length, "model")}${told}`;
  find("more").hidden = left <= 0;
  find("more").textContent = `Show ${Math.min(left, PART)} more of ${left.toLocaleString("en")}`;
}

const cells = {
  name: (r, i) => {
    const open = el("button", { type: "button", class: "open name", id: `model-${i}`, "aria-expanded": String(opened.has(i)) }, r.name);
    open.addEventListener("click", () => toggle(i));
    return open;
  },
  status: (r) => [mark(r.status), r.ok ? null : el("span", { class: "unexpected" }, `expected ${r.expected === r.status ? "another reason" : r.expected || "converted"}`)],
  change: (r) => [r.worse ? el("strong", { class: "worse" }, "worse: ") : null, r.change ?? ""],
  tags: (r) => (r.tags ?? []).join(", "),
  before: (r) => (r.before === undefined ? "–" : r.after === undefined ? String(r.before) : `${r.before} → ${r.after}`),
  rules: (r) => r.rules ?? "–",
  error: (r) => real(num(r.error)),
  share: (r) => share(num(r.share)),
  seconds: (r) => seconds(num(r.seconds)),
  memory: (r) => bytes(num(r.memory)),
  header: (r) => bytes(num(r.header)),
  weights: (r) => bytes(num(r.weights)),
  latency: (r) => seconds(num(r.latency)),
};

function line(i) {
  const cell = (h) => {
    const key = h.dataset.key;
    return el(key === "name" ? "th" : "td", { class: h.className, ...(key === "name" ? { scope: "row" } : {}) }, cells[key](rows[i], i));
  };
  return el("tr", {}, heads.map(cell));
}

function more(i) {
  return el("tr", { class: "more", id: `details-${i}` }, el("td", { colspan: heads.length }, panel(i, rows[i])));
}

function toggle(i) {
  const button = find(`model-${i}`);
  const open = !opened.has(i);
  if (open) {
    opened.add(i);
    button.closest("tr").after(more(i));
    button.setAttribute("aria-controls", `details-${i}`);
  } else {
    opened.delete(i);
    find(`details-${i}`).remove();
    button.removeAttribute("aria-controls");
  }
  button.setAttribute("aria-expanded", String(open));
}

function sortBy(head) {
  const key = head.dataset.key;
  const numeric = head.classList.contains("number");
  state.down = state.key === key ? !state.down : numeric; // of numbers the largest are looked for
  state.key = key;
  heads.forEach((h) => h.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
  update();
}

// A link to a model opens it, whatever the filter.
function follow() {
  const i = Number(/^#model-(\d+)$/.exec(location.hash)?.[1] ?? NaN);
  if (!(i < rows.length)) return;
  if (!state.found.includes(i)) {
    find("filter").reset();
    update();
  }
  state.limit = Math.max(state.limit, state.found.indexOf(i) + 1);
  opened.add(i);
  draw();
  find(`model-${i}`).focus();
  find(`model-${i}`).scrollIntoView({ block: "start" });
}

function begin() {
  const count = (values) => values.reduce((seen, v) => seen.set(v, (seen.get(v) ?? 0) + 1), new Map());
  const statuses = count(rows.map((r) => r.status));
  find("statuses").append(...data.statuses.filter((s) => statuses.has(s)).map((s) =>
    el("label", {}, el("input", { type: "checkbox", value: s }), mark(s), ` ${statuses.get(s)}`)));
  const tags = [...count(rows.flatMap((r) => r.tags ?? []))].sort((a, b) => order(a[0], b[0]));
  find("tag").append(...tags.map(([tag, n]) => el("option", { value: tag }, `${tag} (${n})`)));
  const anew = () => {
    state.limit = PART;
    update();
  };
  find("filter").addEventListener("input", anew);
  find("filter").addEventListener("submit", (event) => event.preventDefault());
  find("clear").addEventListener("click", () => {
    find("filter").reset();
    anew();
  });
  find("more").addEventListener("click", () => {
    const first = state.found[state.limit];
    state.limit += PART;
    draw();
    find(`model-${first}`).focus();
  });
  heads.forEach((h) => h.querySelector("button").addEventListener("click", () => sortBy(h)));
  addEventListener("hashchange", follow);
  update();
  follow();
}

begin();
