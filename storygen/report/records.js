"use strict";
// The index of all records (columns of small numbers), the table over it, and lists of cards: filter, sort, search.
async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}

async function readIndex({ blob, columns: names, count, ...rest }) {
  const buffer = await inflate(blob), columns = {};
  Object.entries(names).forEach(([name, values], k) => {
    columns[name] = { values, codes: new Uint8Array(buffer, (7 + k) * count, count) };
  });
  const numbers = new Uint32Array(buffer, 0, count), words = new Uint16Array(buffer, 4 * count, count);
  const value = (name, i) => (columns[name] ? columns[name].values[columns[name].codes[i]] : "");
  return {
    ...rest, count, columns, value, numbers, words, near: new Uint8Array(buffer, 6 * count, count),
    id: (i) => (rest.ids ? rest.ids[i] : `${value("kind", i)}-${String(numbers[i]).padStart(7, "0")}`),
  };
}

// Texts by id: those inside this page, and all of the run once its folder is opened (read here, sent nowhere).
const texts = { cards: new Map(), lines: new Map() };

async function openFolder(files, say) {
  const wanted = [...files].filter((f) => /(^|\/)(data\/.*|rejected|kept)[^/]*\.jsonl$/.test(f.webkitRelativePath || f.name));
  for (const file of wanted) {
    say(`reading ${file.name} …`);
    for (const line of (await file.text()).split("\n")) {
      const found = /"id":\s*("(?:[^"\\]|\\.)*")/.exec(line);
      if (found) texts.lines.set(JSON.parse(found[1]), line);
    }
  }
  say(texts.lines.size ? `${plural(texts.lines.size, "text")} at hand` : "no data/*.jsonl or rejected.jsonl in this folder");
}

function recordOf(id, index, i) {
  if (texts.cards.has(id)) return card(texts.cards.get(id), "h2");
  const line = texts.lines.get(id);
  const about = el("article", { class: "card" }, el("h2", {}, visible(id)),
    facts(["kind", "state", "reason", "tier", "family"].map((name) => [name, index.value(name, i)])));
  if (line) {
    const r = JSON.parse(line);
    const parts = r.messages || [{ role: "text", content: r.text }];
    about.append(...parts.map((m) => el("div", {}, r.messages ? el("p", { class: "note" }, m.role) : null, marked(plainText(m.content), [], m.role))),
      premise(r.meta && r.meta.premise) || "");
  } else {
    about.append(el("p", {}, "Its text is not in this page. Open the run's folder above the table to read it here, or find it on disk:"),
      el("pre", { tabindex: "0" }, `grep -rh '"id": "${id}"' data rejected.jsonl`));
  }
  return about;
}
const plainText = (content) => (typeof content === "string" ? content : JSON.stringify(content ?? ""));

function show(id, index, i) {
  const box = $("record");
  $("record-body").replaceChildren(recordOf(id, index, i));
  box.showModal();
}

// The table of all records. `only(filters)` shows those behind a number.
function records(index) {
  const PAGE = 20;
  let filters = {}, page = 0, by = "number", direction = 1;
  const order = { number: index.numbers, words: index.words, near: index.near };
  const names = Object.keys(index.columns).filter((name) => index.columns[name].values.length > 1);
  const shown = ["kind", "state", "reason", "family", "setting", "pressure", "mode"].filter((name) => name in index.columns);
  const pick = el("select", { id: "records-column", "aria-label": "Filter by" }, el("option", { value: "" }, "filter by …"),
    names.map((name) => el("option", { value: name }, name)));
  const value = el("select", { id: "records-value", "aria-label": "Value", disabled: true });
  const search = el("input", { type: "search", id: "records-q", placeholder: "id, or words of a text at hand" });
  const chips = el("div", { class: "chips", "aria-label": "Filters", role: "group" });
  const status = el("p", { class: "note", role: "status", id: "records-status" });
  const body = el("tbody");
  const back = el("button", { type: "button", on: { click: () => { page -= 1; draw(); } } }, "Previous");
  const next = el("button", { type: "button", on: { click: () => { page += 1; draw(); } } }, "Next");

  function matches() {
    const tests = Object.entries(filters).map(([name, wanted]) => {
      if (name === "near") return (i) => index.near[i] >= Number(wanted);
      const column = index.columns[name];
      const code = column ? column.values.indexOf(wanted) : -1;
      return (i) => column && column.codes[i] === code;
    });
    const q = search.value.trim().toLowerCase();
    if (q) tests.push((i) => {
      const id = index.id(i), held = texts.cards.get(id);
      return id.toLowerCase().includes(q) || (held && held.text.toLowerCase().includes(q))
        || (texts.lines.get(id) || "").toLowerCase().includes(q);
    });
    const hits = [];
    for (let i = 0; i < index.count; i++) if (tests.every((test) => test(i))) hits.push(i);
    const key = order[by] ? (i) => order[by][i] : (i) => index.value(by, i);
    return hits.sort((a, b) => direction * (key(a) > key(b) ? 1 : key(a) < key(b) ? -1 : 0) || a - b);
  }

  function draw() {
    const hits = matches(), pages = Math.max(1, Math.ceil(hits.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    status.textContent = `${plural(hits.length, "record")}${index.total > index.count ? ` of the ${number(index.count)} in this page (the run has ${number(index.total)})` : ""}, page ${page + 1} of ${number(pages)}`;
    back.disabled = page === 0;
    next.disabled = page === pages - 1;
    body.replaceChildren(...hits.slice(page * PAGE, (page + 1) * PAGE).map((i) => {
      const id = index.id(i);
      const open = el("button", { type: "button", class: "as-link", on: { click: () => show(id, index, i) } }, visible(id));
      const column = (name) => el("td", {}, visible(index.value(name, i)));
      return el("tr", {}, el("th", { scope: "row" }, open), shown.map(column),
        el("td", { class: "n" }, (index.near[i] / 100).toFixed(2)), el("td", { class: "n" }, number(index.words[i])));
    }));
    chips.replaceChildren(...Object.entries(filters).map(([name, v]) => el("button", { type: "button", class: "chip", "aria-label": `Remove the filter ${name}`,
      on: { click: () => { delete filters[name]; draw(); } } }, named(name, v), " ×")));
  }
  const named = (name, v) => (name === "near" ? `nearness at least ${v / 100}`
    : name.endsWith(" score") ? `${name} ${(v / index.bins).toFixed(3)} to ${((Number(v) + 1) / index.bins).toFixed(3)}` : `${name}: ${v || "none"}`);

  pick.addEventListener("input", () => {
    const column = index.columns[pick.value];
    value.disabled = !column;
    value.replaceChildren(el("option", { value: "" }, "choose …"), ...(column ? column.values.map((v, k) => el("option", { value: `=${v}` }, k === 0 && !v ? "none" : v)) : []));
  });
  value.addEventListener("input", () => { if (value.value) { filters[pick.value] = value.value.slice(1); page = 0; draw(); } });
  search.addEventListener("input", () => { page = 0; draw(); });
  const titles = [["number", "id"], ...shown.map((name) => [name, name]), ["near", "nearness"], ["words", "words"]];
  const head = el("tr", {}, titles.map(([key, title]) => {
    const th = el("th", { scope: "col", class: order[key] && key !== "number" ? "n" : null });
    th.append(el("button", { type: "button", on: { click: () => {
      direction = by === key ? -direction : order[key] && key !== "number" ? -1 : 1;
      by = key;
      head.querySelectorAll("th").forEach((x) => x.removeAttribute("aria-sort"));
      th.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      draw();
    } } }, title));
    return th;
  }));
  const said = el("span", { class: "note", role: "status" });
  const folder = el("input", { type: "file", id: "records-folder", webkitdirectory: true, multiple: true,
    on: { change: (e) => openFolder(e.target.files, (line) => { said.textContent = line; draw(); }) } });
  $("records-list").append(
    el("div", { class: "bar" }, el("label", { for: "records-q" }, "Search", search), el("label", {}, "Filter", el("span", { class: "pair" }, pick, value)),
      el("label", { for: "records-folder" }, "Texts of all records: open the run's folder", folder), said),
    chips, status,
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Records" }, el("table", {}, el("caption", {}, "Records; an id opens its text"), el("thead", {}, head), body)),
    el("div", { class: "bar pages" }, back, next));
  draw();
  return { only: (wanted) => {
    search.value = wanted.text || "";
    filters = Object.fromEntries(Object.entries(wanted).filter(([name]) => name !== "text"));
    page = 0;
    draw();
  } };
}

// A list of cards with search, filters by field and order, twelve at a time.
function cardList(name, list, fields) {
  const PAGE = 12;
  for (const c of list) texts.cards.set(c.id, c);
  const out = el("div", { class: "cards" }), shown = el("span", { class: "note", role: "status" });
  const more = el("button", { type: "button", on: { click: () => { limit += PAGE; draw(); } } }, "Show more");
  const search = el("input", { type: "search", id: `${name}-q` });
  const selects = fields.filter((f) => new Set(list.map((c) => c[f])).size > 1).map((f) => {
    const values = [...new Set(list.map((c) => c[f]).filter(Boolean))].sort();
    return { f, select: el("select", { id: `${name}-${f}` }, el("option", { value: "" }, "all"), values.map((v) => el("option", { value: v }, v))) };
  });
  const order = el("select", { id: `${name}-sort` }, ["score, high first", "score, low first", "id"].map((o) => el("option", {}, o)));
  let limit = PAGE, fixed = {};
  function draw() {
    const q = search.value.trim().toLowerCase();
    const hits = list.filter((c) => selects.every(({ f, select }) => !select.value || c[f] === select.value)
      && Object.entries(fixed).every(([k, v]) => c[k] === v)
      && (!q || `${c.id} ${c.item} ${c.reason} ${c.text}`.toLowerCase().includes(q)));
    const sign = order.selectedIndex === 0 ? -1 : 1;
    hits.sort((a, b) => (order.selectedIndex === 2 ? (a.id < b.id ? -1 : 1) : sign * ((a.score ?? 0) - (b.score ?? 0))));
    out.replaceChildren(...hits.slice(0, limit).map((c) => card(c)));
    shown.textContent = `${number(Math.min(limit, hits.length))} of ${number(hits.length)} shown`;
    more.hidden = hits.length <= limit;
  }
  for (const control of [search, order, ...selects.map((s) => s.select)]) control.addEventListener("input", () => { limit = PAGE; fixed = {}; draw(); });
  $(`${name}-cards`).append(
    list.length > 1 ? el("div", { class: "bar" }, el("label", { for: search.id }, "Search", search), selects.map(({ f, select }) => el("label", { for: select.id }, f, select)), el("label", { for: order.id }, "Order", order), shown) : "",
    list.length ? out : el("p", { class: "note" }, "None."), more);
  draw();
  return { only: (wanted) => {
    search.value = wanted.text || "";
    fixed = Object.fromEntries(Object.entries(wanted).filter(([k]) => k !== "text" && !selects.some((s) => s.f === k)));
    for (const { f, select } of selects) select.value = wanted[f] || "";
    limit = PAGE;
    draw();
  } };
}
