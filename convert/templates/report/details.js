// The panel of one model.

const lines = document.getElementById("lines").textContent.split("\n");

const block = (head, ...content) => el("div", {}, el("h3", {}, head), ...content);
const wide = (head, ...content) => el("div", { class: "full" }, el("h3", {}, head), ...content);
const text = (value) => el("td", { class: "text" }, value ?? "");
const number = (value) => el("td", { class: "number" }, value);

// A table that scrolls by itself where the page is narrow.
function table(name, heads, rows, kind = "") {
  const cell = (h) => el("th", { scope: "col", class: h.startsWith("#") ? "number" : "text" }, h.replace("#", ""));
  const body = el("table", { class: kind }, el("thead", {}, el("tr", {}, heads.map(cell))), el("tbody", {}, rows));
  return el("div", { class: "scroll", role: "region", "aria-label": clean(name), tabindex: "0" }, body);
}

function panel(index, row) {
  const d = JSON.parse(lines[index]);
  const parts = [
    d.error && errorOf(row, d), d.changes.length && changesOf(d), aboutOf(row, d), d.stages && stagesOf(d),
    row.latency !== undefined && latencyOf(row), d.errors.length && errorsOf(d), d.spread.length && spreadOf(d),
    d.operators && operatorsOf(d), d.rewrites && rewritesOf(d), fine(d),
  ];
  return el("div", { class: "panel" }, parts.filter(Boolean));
}

function errorOf(row, d) {
  const e = d.error;
  const finding = (f) => [
    el("strong", { class: "text" }, f.what), f.where && el("div", { class: "text" }, `at ${f.where}`),
    f.why && el("div", { class: "text" }, `because ${f.why}`), f.advice && el("div", { class: "text" }, `try: ${f.advice}`),
  ].filter(Boolean);
  const found = (e.findings ?? []).map((f) => el("li", {}, finding(f)));
  const kind = `error ${row.status === "refused" ? "refused" : ""}`;
  const head = `${e.kind ?? row.status}${e.stage ? `, stage ${e.stage}` : ""}`;
  return el("div", { class: "full" }, el("div", { class: kind }, el("h3", {}, head), finding(e),
    found.length ? el("ol", {}, found) : null, e.more ? el("p", {}, `and ${many(e.more, "finding")} more`) : null));
}

function changesOf(d) {
  const rows = d.changes.map((c) => el("tr", {},
    el("td", {}, c.worse ? el("strong", { class: "worse" }, "worse: ") : null, c.kind), text(c.what), text(c.shown[0]), text(c.shown[1])));
  return wide("Against the earlier run", table("Changes", ["Change", "What", "Before", "After"], rows));
}

function aboutOf(row, d) {
  const port = (p) => `${p.name}: ${p.dtype}[${(p.shape ?? []).join(", ")}]`;
  const facts = [
    ["source", d.source], ["kind", [d.kind, d.exporter].filter(Boolean).join(", by ")],
    ["expected", row.expected && `${row.expected}${d.expected_cause ? ` (${d.expected_cause})` : ""}`],
    ["inputs", (d.inputs ?? []).map(port).join("; ")], ["outputs", (d.outputs ?? []).map(port).join("; ")],
    ["tags", (row.tags ?? []).join(", ")], ["files", (d.files ?? []).join(", ")],
    ["kept", row.kept && "unchanged: the result of an earlier run"],
  ].filter(([, value]) => value);
  const notes = (d.notes ?? []).map((n) => el("li", {}, n));
  const told = facts.flatMap(([key, value]) => [el("dt", {}, key), el("dd", { class: "text" }, value)]);
  return block("Model", el("dl", {}, told), notes.length ? el("ul", {}, notes) : null);
}

function stagesOf(d) {
  const most = Math.max(...d.stages.map((s) => num(s.seconds)));
  const rows = d.stages.map((s) => el("tr", {},
    el("td", {}, s.name), el("td", {}, s.state), number(seconds(num(s.seconds))), el("td", {}, bar(num(s.seconds), most, "bar", 80)),
    number(bytes(num(s.peak_memory))), text(s.summary)));
  return block("Stages", table("Stages", ["Stage", "State", "#Time", "", "#Peak memory", "What it found"], rows));
}

function latencyOf(row) {
  const [header, other] = [num(row.latency), num(row.onnxruntime)];
  const most = Math.max(header, Number.isNaN(other) ? 0 : other);
  const told = [["header", header, "bar"], ["onnxruntime", other, "other"]].filter(([, v]) => !Number.isNaN(v));
  const rows = told.map(([name, v, kind]) => el("tr", {}, el("td", {}, name), number(seconds(v)), el("td", {}, bar(v, most, kind, 160))));
  const ratio = other > header ? `${digits(other / header)} times faster` : `${digits(header / other)} times slower`;
  const words = Number.isNaN(other) ? null : el("p", { class: "quiet" }, `The header is ${ratio}.`);
  return block("Latency, batch 1, one thread", table("Latency", ["", "#A call", ""], rows), words);
}

function errorsOf(d) {
  const rows = d.errors.map((e) => el("tr", {},
    text(e.output), el("td", {}, e.edge), number(real(num(e.absolute))), number(real(num(e.relative))),
    number(`${real(num(e.tolerance.rtol))}, ${real(num(e.tolerance.atol))}`), number(share(num(e.share))), el("td", {}, meter(num(e.share))),
    number(`${e.wrong} of ${e.elements}`), number(e.undecided), text(e.problem || e.worst)));
  return wide("Errors against each reference", table("Errors",
    ["Output", "Comparison", "#Max |Δ|", "#Relative", "#rtol, atol", "#Of tolerance", "(log; line: all)", "#Wrong", "#Undecided", "Worst on"], rows));
}

function spreadOf(d) {
  const figures = d.spread.map((s) => {
    const error = d.errors.find((e) => e.output === s.output);
    const plots = [el("figure", {}, histogram(s, error ? num(error.tolerance.atol) : 0),
      el("figcaption", {}, `${s.output}: elements by |header − reference|, counts on a logarithmic scale`))];
    if (s.points.length) {
      const axes = s.log ? ", logarithmic axes" : "";
      plots.push(el("figure", {}, scatter(s, data.steps), el("figcaption", {}, `${s.output}: header against reference${axes}`)));
      plots.push(el("figure", {}, residuals(s, data.steps), el("figcaption", {}, `${s.output}: header − reference${axes && ", logarithmic reference"}`)));
    }
    return el("div", {}, plots);
  });
  return wide("Header against reference", figures);
}

function operatorsOf(d) {
  const { before = {}, native = {}, after = {} } = d.operators;
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const rows = names.map((n) => el("tr", {}, text(n), number(before[n] ?? "–"), number(native[n] ?? "–"), number(after[n] ?? "–")));
  return block("Operators", table("Operators", ["Operator", "#Before", "#As they are", "#After"], rows));
}

function rewritesOf(d) {
  const rows = d.rewrites.map((r) => el("tr", {}, text(r.rule), text(r.before), text(r.after || "–"), number(r.count)));
  return block("Rewrites", table("Rewrites", ["Rule", "Before", "After", "#Times"], rows, "trail"));
}

function fine(d) {
  const told = Object.entries({ ...d.versions, ...Object.fromEntries(Object.entries(d.hashes ?? {}).map(([k, v]) => [`sha256 ${k}`, v])) });
  if (!told.length) return null;
  const list = told.flatMap(([key, value]) => [el("dt", {}, key), el("dd", { class: "text" }, value)]);
  return el("div", { class: "full" }, el("details", {}, el("summary", {}, "Versions and hashes"), el("dl", {}, list)));
}
