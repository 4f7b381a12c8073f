// Numbers and elements. Text of models goes through text nodes only, never through markup.

const num = (v) => (v === "inf" || v === "nan" ? Infinity : v === undefined || v === null ? NaN : Number(v));

function seconds(v) {
  if (Number.isNaN(v)) return "–";
  if (v < 1e-3) return `${digits(v * 1e6)} µs`;
  if (v < 1) return `${digits(v * 1e3)} ms`;
  if (v < 120) return `${v < 10 ? v.toFixed(1) : Math.round(v)} s`;
  const minutes = Math.round(v / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function bytes(v) {
  if (Number.isNaN(v)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let power = 0;
  for (; v >= 1024 && power < units.length - 1; power++) v /= 1024;
  return `${digits(v)} ${units[power]}`;
}

const digits = (v) => (v >= 100 ? v.toFixed(0) : String(Number(v.toPrecision(3))));

function real(v) {
  if (Number.isNaN(v)) return "–";
  if (!Number.isFinite(v)) return v < 0 ? "−∞" : "∞";
  const size = Math.abs(v);
  return v === 0 || (size >= 0.01 && size < 1e4) ? String(Number(v.toPrecision(3))) : v.toExponential(1).replace("-", "−");
}

function share(v) {
  if (Number.isNaN(v)) return "–";
  if (!Number.isFinite(v)) return "∞";
  return v > 10 ? `${v < 1e5 ? Math.round(v) : real(v)} ×` : `${v < 1 ? Number((100 * v).toPrecision(2)) : Math.round(100 * v)} %`;
}

const many = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

// line breaks and all else that does not show, or turns the direction of writing, as a sign of its own
const clean = (text) => String(text).replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, (c) => (c === "\n" || c === "\t" ? " " : "\ufffd"));

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== "") {
      node.append(child instanceof Node ? child : clean(child));
    }
  }
  return node;
}

const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

function mark(status) {
  const kind = status.replaceAll(" ", "-");
  const sign = svg("svg", { class: "mark", "aria-hidden": "true" }, svg("use", { href: `#mark-${kind}` }));
  return el("span", { class: `status ${kind}` }, sign, status);
}
