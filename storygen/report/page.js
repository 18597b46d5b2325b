"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  // Every word of the corpus goes through here: text nodes only.
  const el = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) if (value != null) node.setAttribute(key, value);
    for (const child of children.flat()) if (child != null) node.append(child instanceof Node ? child : String(child));
    return node;
  };
  const number = (x) => (x == null ? "" : x.toLocaleString("en"));
  const percent = (x, digits = 1) => `${(100 * x).toFixed(digits)} %`;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const figure = (where, caption, options) => {
    const plot = Plot.plot({ style: { background: "transparent", fontSize: "12px" }, width: 760, ...options });
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", caption);
    $(where).append(el("figure", {}, plot, el("figcaption", {}, caption)));
  };
  const table = (columns, rows, caption) => {
    const body = el("tbody");
    const draw = (list) => body.replaceChildren(...list.map((row) => el("tr", {}, columns.map((c) => {
      const value = c.show ? c.show(row) : row[c.key];
      return el("td", { class: c.n ? "n" : null }, value instanceof Node ? value : c.n && typeof value === "number" ? number(value) : value);
    }))));
    let direction = 1, by = null;
    const head = el("tr", {}, columns.map((c) => {
      const button = el("button", { type: "button" }, c.title);
      const cell = el("th", { scope: "col", class: c.n ? "n" : null }, button);
      button.addEventListener("click", () => {
        direction = by === c.key ? -direction : 1;
        by = c.key;
        head.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
        cell.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
        draw([...rows].sort((a, b) => direction * (a[c.key] > b[c.key] ? 1 : a[c.key] < b[c.key] ? -1 : 0)));
      });
      return cell;
    }));
    draw(rows);
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, el("table", {}, el("caption", { class: "note" }, caption), el("thead", {}, head), body));
  };
  const marked = (text, spans) => {
    const node = el("div", { class: "text", dir: "auto", tabindex: "0", role: "group", "aria-label": "Text" });
    let at = 0;
    for (const [from, to] of [...(spans || [])].sort((a, b) => a[0] - b[0])) {
      if (to <= at) continue;
      const start = Math.max(from, at);
      node.append(text.slice(at, start), el("mark", {}, text.slice(start, to)));
      at = to;
    }
    node.append(text.slice(at));
    return node;
  };
  const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(([, v]) => v !== "" && v != null).map(([k, v]) => el("div", {}, el("dt", {}, k), el("dd", {}, typeof v === "number" && !Number.isInteger(v) ? v.toFixed(3) : v))));
  const premise = (axes) => Object.keys(axes || {}).length ? el("details", { class: "small" }, el("summary", {}, "premise"), facts(Object.entries(axes))) : null;
  // JavaScript counts UTF-16 units, the evidence counts characters: go through code points where they differ.
  const card = (c) => {
    const points = Array.from(c.text);
    let text = c.text, spans = c.spans;
    if (points.length !== c.text.length) {
      const offset = [0];
      for (const p of points) offset.push(offset[offset.length - 1] + p.length);
      spans = (c.spans || []).map(([a, b]) => [offset[a], offset[b]]);
    }
    return el("article", { class: "card", id: `card-${c.id}` }, el("h4", {}, c.id),
      facts([["reason", c.reason], ["family", c.family], ["matched", c.item], ["tier", c.tier], ["score", c.score], ["threshold", c.threshold], ["near", c.other], ...Object.entries(c.detail || {}).map(([k, v]) => [k, typeof v === "string" ? v : JSON.stringify(v)])]),
      marked(text, spans), premise(c.premise));
  };
  const PAGE = 20;
  // Cards with search, filters and pages, all in this page.
  const cards = (where, list, fields) => {
    if (!list.length) { $(where).append(el("p", { class: "note" }, "None.")); return null; }
    const out = el("div", { class: "cards" }), more = el("button", { type: "button" }, "Show more"), shown = el("span", { class: "note", "aria-live": "polite" });
    const search = el("input", { type: "search", id: `${where}-q` });
    const selects = fields.map((f) => {
      const values = [...new Set(list.map((c) => c[f]).filter(Boolean))].sort();
      const select = el("select", { id: `${where}-${f}` }, el("option", { value: "" }, "all"), values.map((v) => el("option", { value: v }, v)));
      return { f, select };
    });
    const order = el("select", { id: `${where}-sort` }, ["score, high first", "score, low first", "id"].map((o) => el("option", {}, o)));
    let limit = PAGE;
    const draw = () => {
      const q = search.value.toLowerCase();
      const hits = list.filter((c) => selects.every(({ f, select }) => !select.value || c[f] === select.value) && (!q || `${c.id} ${c.item} ${c.text}`.toLowerCase().includes(q)));
      const sign = order.selectedIndex === 0 ? -1 : 1;
      hits.sort((a, b) => order.selectedIndex === 2 ? (a.id < b.id ? -1 : 1) : sign * ((a.score ?? 0) - (b.score ?? 0)));
      out.replaceChildren(...hits.slice(0, limit).map(card));
      shown.textContent = `${number(Math.min(limit, hits.length))} of ${number(hits.length)}`;
      more.hidden = hits.length <= limit;
    };
    for (const control of [search, order, ...selects.map((s) => s.select)]) control.addEventListener("input", () => { limit = PAGE; draw(); });
    more.addEventListener("click", () => { limit += PAGE; draw(); });
    $(where).append(el("div", { class: "bar" }, el("label", { for: search.id }, "search", search), selects.map(({ f, select }) => el("label", { for: select.id }, f, select)), el("label", { for: order.id }, "order", order), shown), out, more);
    draw();
    return { only: (field, value) => { for (const { f, select } of selects) select.value = f === field ? value : ""; search.value = ""; limit = PAGE; draw(); $(where).scrollIntoView(); } };
  };
  const link = (text, action) => { const b = el("button", { type: "button" }, text); b.addEventListener("click", action); return b; };

  const s = data.sum, p = data.planted, r = data.residual;
  const tile = (value, label, state) => el("div", { class: "tile" }, el("b", { class: state }, value), el("span", {}, label));
  $("tiles").append(tile(number(s.kept), "kept"), tile(number(s.rejected), "rejected"), tile(number(s.failed), "failed"),
    tile(number(s.attempted), s.adds_up ? "attempted: the sum holds" : "attempted: THE SUM DOES NOT HOLD", s.adds_up ? null : "bad"),
    tile(p.count ? percent(p.caught / p.count) : "–", `of ${number(p.count)} planted leaks caught`, p.missed.length ? "bad" : "good"),
    tile(r.of ? `${r.likely.toFixed(1)}` : "–", `leaks may be left in ${number(r.of)} (at most about ${r.upper.toFixed(1)})`),
    tile(data.verdict.weakest || "–", "weakest family"));
  $("first").append(...(data.verdict.look_first.length ? data.verdict.look_first : [{ text: "the samples", anchor: "#samples" }]).map((x) => el("li", {}, el("a", { href: x.anchor }, x.text))));
  const stages = data.funnel.filter((f) => f.rejected || ["duplicates", "contamination"].includes(f.stage));
  $("funnel").append(table([{ key: "stage", title: "stage" }, { key: "in", title: "came in", n: true }, { key: "rejected", title: "lost", n: true }, { key: "share", title: "share", n: true, show: (f) => percent(f.rejected / Math.max(f.in, 1), 2) }, { key: "kinds", title: "by kind", show: (f) => Object.entries(f.by_kind).map(([k, n]) => `${k} ${number(n)}`).join(", ") }], stages, "Texts lost at each stage"));

  if (p.rows.length) {
    const rows = p.rows.map((x) => ({ ...x, name: `${x.tier} · ${x.family}` }));
    figure("recall", "Share of planted leaks caught, by tier and family, with its 95 % interval", { marginLeft: 250, height: 40 + 20 * rows.length, x: { domain: [0, 1], tickFormat: "%", label: "caught" }, y: { label: null }, marks: [Plot.ruleX([1], { strokeOpacity: 0.2 }), Plot.ruleY(rows, { y: "name", x1: "low", x2: "high", stroke: css("--accent"), strokeWidth: 5, strokeOpacity: 0.35 }), Plot.dot(rows, { y: "name", x: "recall", fill: (d) => (d.caught < d.planted ? css("--bad") : css("--good")), r: 4 })] });
    $("recall-table").append(el("details", {}, el("summary", {}, "the same as a table"), table([{ key: "tier", title: "tier" }, { key: "family", title: "family" }, { key: "planted", title: "planted", n: true }, { key: "caught", title: "caught", n: true }, { key: "recall", title: "recall", n: true, show: (x) => percent(x.recall) }, { key: "low", title: "95 % interval", n: true, show: (x) => `${percent(x.low)} to ${percent(x.high)}` }], p.rows, "Recall by tier and family")));
  }
  if (p.missed.length) $("missed").append(el("h3", { class: "bad" }, "Missed"), table([{ key: "id", title: "id" }, { key: "tier", title: "tier" }, { key: "family", title: "family" }, { key: "hazard", title: "hidden as" }], p.missed, "Planted leaks that got through"));
  $("residual").textContent = r.of ? `If real leaks are like the planted ones and every contamination reject was a real leak, about ${r.likely.toFixed(1)} of ${number(r.of)} exported records still leak, and with the recall at the low end of its interval at most about ${r.upper.toFixed(1)}. A kind of leak that nobody planted is not in this estimate: read the nearest misses.` : "";

  const rejects = cards("rejects-cards", data.contamination.rejects, ["family", "tier", "kind", "reason"]);
  const all = data.contamination.count, got = data.contamination.rejects.length;
  $("rejects-count").textContent = all > got ? `${number(got)} of ${number(all)} shown; all are in rejected.jsonl` : number(all);
  cards("nearest-cards", data.contamination.nearest, ["family", "kind"]);
  $("nearest-count").textContent = number(data.contamination.nearest.length);
  for (const [tier, h] of Object.entries(data.contamination.scores)) {
    const rows = ["kept", "rejected"].flatMap((side) => h[side].map((n, i) => ({ side, x1: i / h.bins, x2: (i + 1) / h.bins, n })).filter((d) => d.n));
    figure("scores", `Scores of the ${tier} tier${h.threshold == null ? "" : `; dropped from ${h.threshold}`} (log scale)`, { height: 190, x: { domain: [0, 1], label: "score" }, y: { type: "log", domain: [0.8, Math.max(2, ...rows.map((d) => d.n))], label: "texts", ticks: 4, tickFormat: "~s" }, color: { domain: ["kept", "rejected"], range: [css("--accent"), css("--bad")], legend: true }, marks: [Plot.rect(rows, { x1: "x1", x2: "x2", y1: 0.8, y2: "n", fill: "side", inset: 0.5 }), h.threshold == null ? null : Plot.ruleX([h.threshold], { strokeDasharray: "4 3" })] });
  }
  if (data.contamination.by_family.length) $("by-family").append(table([{ key: "tier", title: "tier" }, { key: "family", title: "family", show: (x) => (rejects ? link(x.family, () => rejects.only("family", x.family)) : x.family) }, { key: "rejected", title: "rejected", n: true }], data.contamination.by_family, "Rejects by tier and family; a family opens its records"));

  const d = data.duplicates;
  $("dup-summary").textContent = d.count ? `${number(d.count)} texts were dropped because an earlier one is near them (word 5-gram Jaccard of 0.7 or more, every one verified).` : "None.";
  if (d.count) $("clusters").append(table([{ key: "size", title: "texts in the cluster", n: true }, { key: "n", title: "clusters", n: true }], Object.entries(d.clusters).map(([size, n]) => ({ size: Number(size), n })), "Cluster sizes"));
  for (const pair of d.pairs.slice(0, 6)) $("pairs").append(el("h3", {}, `Jaccard ${pair.jaccard.toFixed(3)}`), el("div", { class: "side" }, card(pair.a), card(pair.b)));

  const stageOf = {};
  for (const stage of Object.keys(data.others)) { const id = `others-${stage}`; $("others-cards").append(el("h3", {}, stage), el("div", { id })); stageOf[stage] = cards(id, data.others[stage], ["reason", "kind"]); }
  $("reasons").append(data.reasons.length ? table([{ key: "stage", title: "stage" }, { key: "reason", title: "reason", show: (x) => (stageOf[x.stage] ? link(x.reason, () => stageOf[x.stage].only("reason", x.reason)) : x.reason) }, { key: "count", title: "texts", n: true }, { key: "kinds", title: "by kind", show: (x) => Object.entries(x.by_kind).map(([k, n]) => `${k} ${number(n)}`).join(", ") }], data.reasons, "Every reason; one with a link opens its records") : el("p", { class: "note" }, "Nothing was rejected."));

  const worst = data.diversity.figures.filter((f) => data.diversity.offenders.includes(f.name));
  if (worst.length) $("offenders").append(el("h3", {}, "Worst offenders"), el("ul", {}, worst.map((f) => el("li", {}, el("b", {}, f.name), `: ${f.unit === "share" ? percent(f.value, 2) : f.value.toPrecision(3)}. `, (f.worst || []).map((w) => `“${w}”`).join("; ")))));
  $("figures").append(table([{ key: "name", title: "figure" }, { key: "value", title: "value", n: true, show: (f) => (f.unit === "share" ? percent(f.value, 2) : f.value.toPrecision(3)) }, { key: "grade", title: "band", show: (f) => el("span", { class: f.grade }, f.grade === "plain" ? "no band" : f.grade) }, { key: "good", title: "good to", n: true }, { key: "bad", title: "bad from", n: true }, { key: "source", title: "source" }], data.diversity.figures, "Diversity figures beside their bands"));
  $("figures").append(table([{ key: "kind", title: "kind" }, { key: "records", title: "records", n: true }, { key: "words", title: "words", n: true }, { key: "tokens", title: "tokens, about", n: true }], Object.entries(data.tokens).map(([kind, t]) => ({ kind, ...t })), "Size by kind (tokens: words × 1.33)"));

  const c = data.coverage;
  if (c.failing.length) $("failing").append(table([{ key: "cell", title: "premise cell" }, { key: "attempted", title: "attempted", n: true }, { key: "kept", title: "kept", n: true }, { key: "lost", title: "lost", n: true }, { key: "share", title: "share lost", n: true, show: (x) => percent(x.share) }], c.failing, "Cells that lose most"));
  for (const h of c.heat) {
    const cells = h.cells.map(([a, b, n]) => ({ a, b, n }));
    figure("heat", `Kept records by ${h.axes[0]} and ${h.axes[1]}`, { marginLeft: 170, marginBottom: 90, width: 980, height: 150 + 15 * new Set(cells.map((x) => x.a)).size, padding: 0, x: { label: h.axes[1], tickRotate: -40 }, y: { label: h.axes[0] }, color: { scheme: "blues", legend: true, label: "records" }, marks: [Plot.cell(cells, { x: "b", y: "a", fill: "n", tip: true, inset: 0.5 })] });
  }
  for (const [axis, values] of Object.entries(c.axes)) {
    const rows = Object.entries(values).map(([value, n]) => ({ value, n })).sort((a, b) => b.n - a.n);
    $("axes").append(el("details", {}, el("summary", {}, `${axis}: ${number(rows.length)} values, ${number(rows[rows.length - 1].n)} to ${number(rows[0].n)} records each`), table([{ key: "value", title: axis }, { key: "n", title: "records", n: true }], rows.slice(0, 300), axis)));
  }
  for (const [kind, list] of Object.entries(data.samples)) {
    $("samples-cards").append(el("h3", {}, kind), el("div", { class: "cards" }, list.map((x) => el("article", { class: "card" }, el("h4", {}, `${x.id}${x.title ? ` · ${x.title}` : ""}`),
      x.messages ? x.messages.map((m) => el("div", {}, el("p", { class: "note" }, m.role), el("div", { class: "text", dir: "auto", tabindex: "0", role: "group", "aria-label": m.role }, typeof m.content === "string" ? m.content : JSON.stringify(m.content)))) : el("div", { class: "text", dir: "auto", tabindex: "0", role: "group", "aria-label": "Text" }, x.text), premise(x.premise)))));
  }
  const list = (object) => facts(Object.entries(object).map(([k, v]) => [k, typeof v === "object" ? JSON.stringify(v) : v]));
  $("cost").append(el("h3", {}, "Cost"), list(data.cost), el("h3", {}, "Review"), list(data.review));
  if (data.seconds.wall) $("time").append(table([{ key: "stage", title: "stage" }, { key: "wall", title: "seconds, here", n: true }, { key: "work", title: "seconds, all workers", n: true }], [...new Set([...Object.keys(data.seconds.wall), ...Object.keys(data.seconds.workers)])].map((stage) => ({ stage, wall: data.seconds.wall[stage], work: data.seconds.workers[stage] })), "Time by stage"));
  $("settings").append(el("h3", {}, "Settings"), list(data.settings), el("h3", {}, "Bank"), el("p", {}, data.bank), el("h3", {}, "Versions"), list(data.versions));
  $("reproduce").textContent = data.reproduce;
})();
