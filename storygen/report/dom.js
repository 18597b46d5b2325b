"use strict";
// Elements, numbers, tables and texts. Every word of the corpus goes through `el`: text nodes only, never markup.
const $ = (id) => document.getElementById(id);

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (value != null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child != null && child !== false));
  return node;
}

const number = (x) => (x == null ? "" : x.toLocaleString("en", { maximumFractionDigits: 4 }));
const percent = (x, digits = 1) => (x == null ? "" : `${(100 * x).toFixed(digits)} %`);
const plural = (n, what) => `${number(n)} ${what}${n === 1 ? "" : "s"}`;
const interval = (x) => (x.low == null ? "" : `${percent(x.low)} to ${percent(x.high)}`);

// A link to the records behind a number: #records?state=kept&kind=story
const where = (list, filters) =>
  `#${list}?${Object.entries(filters).map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(v)}`).join("&")}`;
const link = (text, list, filters) => el("a", { href: where(list, filters) }, text);
const behind = (n, filters, list = "records") => (n ? link(number(n), list, filters) : number(n));

// A share with its 95 % interval, drawn.
function bar(x) {
  if (x.low == null) return el("span", { class: "note" }, "–");
  const place = (v) => `${(100 * v).toFixed(2)}%`;
  return el("span", { class: "interval", role: "img", "aria-label": `${percent(x.recall)}, between ${interval(x)}` },
    el("span", { class: "range", style: `left:${place(x.low)};width:${place(x.high - x.low)}` }),
    el("span", { class: x.recall < 0.8 ? "at low" : "at", style: `left:${place(x.recall)}` }));
}

// columns: {key, title, n: a number, show(row): what stands in the cell}. A click on a title sorts.
function table(columns, rows, caption, options = {}) {
  const body = el("tbody");
  const cell = (row, c, k) => {
    const shown = c.show ? c.show(row) : c.n && typeof row[c.key] === "number" ? number(row[c.key]) : row[c.key];
    return k === 0 ? el("th", { scope: "row" }, shown) : el("td", { class: c.n ? "n" : null }, shown);
  };
  const draw = (list) => body.replaceChildren(...list.map((row) => el("tr", {}, columns.map((c, k) => cell(row, c, k)))));
  let direction = 1, by = null;
  const sort = (c, title) => {
    direction = by === c.key ? -direction : c.n ? -1 : 1;
    by = c.key;
    head.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
    title.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    const value = (row) => row[c.key] ?? (c.n ? -Infinity : "");
    draw([...rows].sort((a, b) => direction * (value(a) > value(b) ? 1 : value(a) < value(b) ? -1 : 0)));
  };
  const head = el("tr", {}, columns.map((c) => {
    const title = el("th", { scope: "col", class: c.n ? "n" : null });
    title.append(options.plain ? c.title : el("button", { type: "button", on: { click: () => sort(c, title) } }, c.title));
    return title;
  }));
  draw(rows);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, head), body));
}

// Characters that would hide or turn what stands beside them are shown by their number.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
function visible(text) {
  const out = [];
  let at = 0;
  for (const found of text.matchAll(HIDDEN)) {
    const code = `U+${found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    out.push(text.slice(at, found.index), el("span", { class: "hidden-char", title: "a control character" }, code));
    at = found.index + 1;
  }
  out.push(text.slice(at));
  return out;
}

// A text with its spans marked. Evidence counts characters, JavaScript UTF-16 units: go by code points where they differ.
function marked(text, spans, label = "Text") {
  const points = Array.from(text);
  if (points.length !== text.length) {
    const offset = [0];
    for (const p of points) offset.push(offset[offset.length - 1] + p.length);
    spans = (spans || []).map(([a, b]) => [offset[a], offset[b]]);
  }
  const node = el("div", { class: "text", tabindex: "0", role: "group", "aria-label": label });
  let at = 0;
  for (const [from, to] of [...(spans || [])].sort((a, b) => a[0] - b[0])) {
    if (to <= at) continue;
    const start = Math.max(from, at);
    node.append(...visible(text.slice(at, start)), el("mark", {}, visible(text.slice(start, to))));
    at = to;
  }
  node.append(...visible(text.slice(at)));
  return node;
}

const plain = (v) => (typeof v === "string" ? visible(v) : typeof v === "number" ? String(Math.round(v * 1e4) / 1e4)
  : Array.isArray(v) && v.every((x) => typeof x === "string") ? visible(v.join(", ")) : visible(JSON.stringify(v)));
const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(([, v]) => v !== "" && v != null)
  .map(([k, v]) => el("div", {}, el("dt", {}, visible(k)), el("dd", {}, v instanceof Node ? v : plain(v)))));
const premise = (axes) => (Object.keys(axes || {}).length
  ? el("details", { class: "small" }, el("summary", {}, "Premise"), facts(Object.entries(axes))) : null);
const dictionary = (object) => facts(Object.entries(object));

function card(c, level = "h4") {
  const { slots, ...detail } = c.detail || {};
  const cut = c.length > Array.from(c.text).length;
  return el("article", { class: "card" },
    el(level, {}, visible(c.id), " ", c.state ? el("span", { class: `state ${c.state}` }, c.state) : null),
    facts([["reason", c.reason], ["tier", c.tier], ["family", c.family], ["matched", c.item],
      ["score", c.tier || c.score ? c.score : ""], ["threshold", c.threshold], ["near", c.other],
      ...Object.entries(detail).map(([k, v]) => [k, v])]),
    slots ? el("details", { class: "small", open: true }, el("summary", {}, "What fills the plot"), dictionary(slots)) : null,
    marked(c.text, c.spans),
    cut ? el("p", { class: "note" }, `Characters ${number(c.start)} to ${number(c.start + Array.from(c.text).length)} of ${number(c.length)}.`) : null,
    premise(c.premise));
}
