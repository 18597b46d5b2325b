"use strict";
// The drawn figures: histograms, funnel, bands, heat map. Plain SVG and tables, so that every mark can be a link.
const SVG = "http://www.w3.org/2000/svg";
function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// Scores of one tier, log scale; a bar opens its records.
function histogram(tier, h) {
  const W = 720, H = 170, LEFT = 56, BOTTOM = 34, TOP = 16;
  const top = Math.log10(Math.max(10, ...h.kept, ...h.rejected) * 1.3);
  const x = (v) => LEFT + v * (W - LEFT - 8), y = (n) => H - BOTTOM - (Math.log10(n) + 0.35) / (top + 0.35) * (H - BOTTOM - TOP);
  const kept = h.kept.reduce((a, b) => a + b, 0), rejected = h.rejected.reduce((a, b) => a + b, 0);
  const caption = `Scores of the ${tier} tier: ${number(kept)} kept, ${number(rejected)} dropped${h.threshold == null ? "" : `; the threshold is ${h.threshold}`} (log scale; a bar opens its records)`;
  const root = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "group", "aria-label": caption });
  for (let n = 1; n < 10 ** top; n *= 10) root.append(svg("line", { x1: LEFT, x2: W - 8, y1: y(n), y2: y(n), class: "grid" }), svg("text", { x: LEFT - 8, y: y(n) + 4, class: "tick end" }, number(n)));
  for (let v = 0; v <= 10; v += 2) root.append(svg("text", { x: x(v / 10), y: H - BOTTOM + 16, class: "tick mid" }, (v / 10).toFixed(1)));
  root.append(svg("text", { x: x(0.5), y: H - 3, class: "tick mid" }, "score"));
  const width = (x(1) - x(0)) / h.bins;
  for (const [k, side] of ["kept", "rejected"].entries()) h[side].forEach((n, i) => {
    if (!n) return;
    const both = h.kept[i] && h.rejected[i];
    const name = `${number(n)} ${side}, score ${(i / h.bins).toFixed(3)} to ${((i + 1) / h.bins).toFixed(3)}`;
    const filters = { [`${tier} score`]: i, ...(side === "kept" ? { state: "kept" } : { stage: "contamination" }) };
    root.append(svg("a", { href: where("records", filters), "aria-label": name }, svg("rect", { class: side, x: x(i / h.bins) + 1 + (both ? k * width / 2 : 0), width: (both ? width / 2 : width) - 2, y: y(n), height: H - BOTTOM - y(n) }, svg("title", {}, name))));
  });
  if (h.threshold != null) root.append(svg("line", { x1: x(h.threshold), x2: x(h.threshold), y1: TOP - 6, y2: H - BOTTOM, class: "threshold" }), svg("text", { x: x(h.threshold) + 5, y: TOP, class: "tick" }, `dropped from ${h.threshold}`));
  return el("figure", {}, root, el("figcaption", {}, caption));
}

// What each stage took, of what was attempted.
function funnel(stages, sum) {
  const row = (name, n, filters, share, size, kind) => el("li", {},
    el("span", { class: "stage" }, name), el("span", { class: "lost" }, filters ? behind(n, filters) : number(n)),
    el("span", { class: "track" }, el("span", { class: `fill ${kind}`, style: `width:${n ? `max(3px, ${(100 * size).toFixed(1)}%)` : 0}` })), el("span", { class: "note" }, share));
  const filters = { writer: null, review: { state: "dropped" } };
  return el("ol", { class: "funnel" },
    row("attempted", sum.attempted, sum.failed ? null : {}, "", 1, "all"),
    stages.map((f) => row(`− ${f.stage}`, f.rejected, f.stage in filters ? filters[f.stage] : { stage: f.stage, state: "rejected" },
      percent(f.rejected / Math.max(f.in, 1), 2), f.rejected / Math.max(sum.attempted, 1), "out")),
    row("= kept", sum.kept, { state: "kept" }, percent(sum.kept / Math.max(sum.attempted, 1), 2), sum.kept / Math.max(sum.attempted, 1), "kept"));
}

// Where a figure stands in its band: good, middling, bad from left to right.
function band(f) {
  if (f.good == null) return el("span", { class: "note" }, "no band");
  const place = Math.min(1, Math.max(0, (f.value - f.good) / (f.bad - f.good) / 3 + 1 / 3));
  return el("span", { class: "band", role: "img", "aria-label": f.grade }, el("span", { class: "zones" }), el("span", { class: "at", style: `left:${(100 * place).toFixed(1)}%` }));
}

// Records by two axes of the premise, chosen on the page; each count opens its records.
function heat(index, axes) {
  const limit = 60;
  const usable = axes.filter((a) => index.columns[a] && index.columns[a].values.length > 2);
  if (usable.length < 2) return;
  const choose = (id, label, value) => { const s = el("select", { id }, usable.map((a) => el("option", { value: a }, a))); s.value = usable.includes(value) ? value : usable[0]; return [el("label", { for: id }, label, s), s]; };
  const [first, rows] = choose("heat-rows", "Rows", "pressure"), [second, columns] = choose("heat-columns", "Columns", "mode");
  if (rows.value === columns.value) columns.value = usable[1];
  const side = el("select", { id: "heat-state" }, ["kept", "rejected"].map((s) => el("option", {}, s)));
  const out = el("div");
  function draw() {
    const a = index.columns[rows.value], b = index.columns[columns.value], state = index.columns.state.values.indexOf(side.value);
    const counts = new Map(), sumA = new Map(), sumB = new Map();
    let most = 1;
    for (let i = 0; i < index.count; i++) {
      if (index.columns.state.codes[i] !== state || !a.codes[i] || !b.codes[i]) continue;
      const key = a.codes[i] * 256 + b.codes[i], n = (counts.get(key) || 0) + 1;
      counts.set(key, n);
      sumA.set(a.codes[i], (sumA.get(a.codes[i]) || 0) + 1);
      sumB.set(b.codes[i], (sumB.get(b.codes[i]) || 0) + 1);
      most = Math.max(most, n);
    }
    const top = (sums, column) => [...sums].sort((x, y) => y[1] - x[1]).slice(0, limit).map(([code]) => code).sort((x, y) => (column.values[x] < column.values[y] ? -1 : 1));
    const down = top(sumA, a), across = top(sumB, b);
    const caption = `${side.value === "kept" ? "Kept" : "Rejected"} records by ${rows.value} and ${columns.value}: ${number(down.length * across.length - down.reduce((n, x) => n + across.filter((y) => counts.has(x * 256 + y)).length, 0))} of ${number(down.length * across.length)} cells are empty${sumA.size > limit || sumB.size > limit ? ` (the ${limit} commonest values)` : ""}`;
    const cell = (x, y) => {
      const n = counts.get(x * 256 + y) || 0;
      if (!n) return el("td", { class: "empty" }, "·");
      return el("td", { class: "cell", style: `--share:${(100 * Math.sqrt(n / most)).toFixed(0)}%` }, link(number(n), "records", { state: side.value, [rows.value]: a.values[x], [columns.value]: b.values[y] }));
    };
    out.replaceChildren(el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Heat map" }, el("table", { class: "heat" }, el("caption", { role: "status" }, caption),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, `${rows.value} \\ ${columns.value}`), across.map((y) => el("th", { scope: "col" }, el("span", {}, b.values[y]))))),
      el("tbody", {}, down.map((x) => el("tr", {}, el("th", { scope: "row" }, a.values[x]), across.map((y) => cell(x, y))))))));
  }
  for (const control of [rows, columns, side]) control.addEventListener("input", draw);
  $("heat").append(el("div", { class: "bar" }, first, second, el("label", { for: "heat-state" }, "Records", side)), out);
  draw();
}
