// Plots of a model, as SVG. Each has its numbers in words as well.

const plot = (width, height, label, ...parts) =>
  svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, ...parts);

// The bins of sofie_bridge.spread: equal, below 1e-10, by decade, from 10 on.
const DECADE = -10;

function binName(k, count) {
  if (k === 0) return "equal";
  if (k === 1) return `below 1e${DECADE}`;
  const power = DECADE + k - 2;
  return k === count - 1 ? `from 1e${power} on` : `1e${power} to 1e${power + 1}`;
}

function histogram(spread, atol) {
  const counts = spread.histogram.map(Number);
  const top = Math.log10(1 + Math.max(1, ...counts));
  const [left, base, step, tall] = [4, 122, 24, 100];
  const width = left + step * counts.length + 4;
  const parts = [svg("path", { class: "axis", d: `M${left} ${base}H${width - 4}` })];
  counts.forEach((n, k) => {
    const x = left + k * step;
    if (n) {
      const h = Math.max(2, (tall * Math.log10(1 + n)) / top);
      const kind = k === 0 ? "bar other" : "bar";
      parts.push(svg("rect", { class: kind, x: x + 2, y: base - h, width: step - 4, height: h }, svg("title", {}, `${binName(k, counts.length)}: ${n}`)));
      parts.push(svg("text", { x: x + step / 2, y: base - h - 3, "text-anchor": "middle" }, short(n)));
    }
    const tick = k === 0 ? "equal" : k >= 2 && k % 2 === 0 ? `1e${DECADE + k - 2}` : "";
    const anchor = k === 0 ? { x: x + step / 2, "text-anchor": "middle" } : { x, "text-anchor": "middle" };
    if (tick) parts.push(svg("text", { ...anchor, y: base + 12 }, tick.replace("-", "−")));
  });
  const place = left + step * (2 + Math.log10(atol) - DECADE);
  if (atol > 0 && place > left + step && place < width) {
    parts.push(svg("path", { class: "limit", d: `M${place} 14V${base}` }));
    parts.push(svg("text", { x: place - 3, y: 11, "text-anchor": "middle" }, "atol"));
  }
  const told = counts.map((n, k) => (n ? `${n} ${binName(k, counts.length)}` : "")).filter(Boolean).join(", ");
  return plot(width, 138, `Histogram of |header − reference| of ${clean(spread.output)}: ${told || "nothing"}`, ...parts);
}

const short = (n) => (n < 1000 ? String(n) : n < 1e6 ? `${digits(n / 1e3)}k` : `${digits(n / 1e6)}M`);

const [LEFT, TOP, SIDE] = [8, 6, 170];

// Points come as x, y, residual in steps along their axes; k is 1 or 2.
function cloud(spread, steps, k, label, lines, high, low, name) {
  const at = (v) => (SIDE * v) / steps;
  let d = "";
  for (let i = 0; i < spread.points.length; i += 3) {
    d += `M${(LEFT + at(spread.points[i])).toFixed(1)} ${(TOP + SIDE - at(spread.points[i + k])).toFixed(1)}h0`;
  }
  const base = TOP + SIDE;
  const [first, last] = [real(num(spread.low)), real(num(spread.high))];
  const told = `${label} of ${clean(spread.output)}, ${many(spread.points.length / 3, "point")} from ${first} to ${last}${spread.log ? ", logarithmic axes" : ""}`;
  return plot(LEFT + SIDE + 56, base + 28, told,
    svg("path", { class: "axis", d: `M${LEFT} ${TOP}V${base}H${LEFT + SIDE}` }),
    svg("path", { class: "guide", d: lines }),
    svg("path", { class: "points", d }),
    svg("text", { x: LEFT, y: base + 12 }, first),
    svg("text", { x: LEFT + SIDE, y: base + 12, "text-anchor": "end" }, last),
    svg("text", { x: LEFT + SIDE / 2, y: base + 24, "text-anchor": "middle" }, "reference"),
    svg("text", { x: LEFT + SIDE + 5, y: TOP + 8 }, high),
    svg("text", { x: LEFT + SIDE + 5, y: base }, low),
    svg("text", { x: LEFT + 5, y: TOP + 8 }, name));
}

function scatter(spread, steps) {
  const line = `M${LEFT} ${TOP + SIDE}L${LEFT + SIDE} ${TOP}`;
  const [low, high] = [real(num(spread.low)), real(num(spread.high))];
  return cloud(spread, steps, 1, "Scatter of header against reference", line, high, low, "header");
}

function residuals(spread, steps) {
  const most = num(spread.residual);
  const told = `Differences of header and reference, at most ${real(most)},`;
  return cloud(spread, steps, 2, told, `M${LEFT} ${TOP + SIDE / 2}h${SIDE}`, `+${real(most)}`, `−${real(most)}`, "header − reference");
}

// A bar for a table's cell.
function bar(value, most, kind = "bar", width = 110) {
  const w = most > 0 ? Math.max(value > 0 ? 1 : 0, (width * value) / most) : 0;
  return svg("svg", { class: "plot", width, height: 10, "aria-hidden": "true" }, svg("rect", { class: kind, width: w, height: 10 }));
}

// How much of its tolerance an error uses up, on a logarithmic axis from 1e-4 to 10 times; the line is the tolerance.
function meter(used) {
  const at = (v) => 24 * (4 + Math.log10(v));
  const w = used > 0 ? Math.min(120, Math.max(2, at(used))) : 0;
  return svg("svg", { class: "plot", width: 122, height: 12, "aria-hidden": "true" },
    svg("path", { class: "axis", d: "M0 11.5H120" }),
    svg("rect", { class: used > 1 ? "over" : "bar", y: 3, width: w, height: 7 }),
    svg("path", { class: "limit", d: `M${at(1)} 0V12` }));
}
