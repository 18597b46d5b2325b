"use strict";
// The sections of the page, from top to bottom.
(async () => {
  const data = JSON.parse($("data").textContent), index = await readIndex(JSON.parse($("index").textContent));
  const { sum, planted, recall, residual, contamination, duplicates, diversity, coverage, review } = data;

  // Four questions that a reader comes with.
  const answer = (id, big, ...small) => $(id).append(el("p", { class: "big" }, big), ...small.filter(Boolean).map((s) => (s instanceof Node ? s : el("p", {}, s))));
  const dropped = contamination.count;
  answer("q-leaked", dropped ? link(`${number(dropped)} dropped`, "rejects", {}) : "none dropped",
    planted.count ? el("p", {}, "Of the ", link(number(sum.kept), "records", { state: "kept" }), " kept, about ", el("b", {}, number(Math.round(residual.likely * 10) / 10)), ` may still leak, at most about `, el("b", {}, number(Math.ceil(residual.upper))), ". ", el("a", { href: "#residual" }, "How this is estimated")) : "No leak was planted, so what is left is unknown.");
  answer("q-sure", planted.count ? `${percent(recall.recall)} recall` : "unknown",
    planted.count ? el("p", {}, el("a", { href: "#planted" }, `${number(planted.caught)} of ${number(planted.count)} planted leaks caught`), `; 95 % interval ${interval(recall)}.`) : null,
    el("table", { class: "mini" }, el("caption", { class: "visually-hidden" }, "Recall by tier"), el("tbody", {}, recall.tiers.map((t) => el("tr", {}, el("th", { scope: "row" }, t.tier), el("td", { class: "n" }, `${number(t.caught)}/${number(t.planted)}`), el("td", {}, bar(t)))))));
  const w = recall.weakest;
  answer("q-weak", w ? w.family : "–",
    w ? el("p", {}, `${number(w.caught)} of ${number(w.planted)} caught by the ${w.tier} tier`, w.recall === 1 ? "; none was missed, this one has the widest interval." : "; ", w.recall === 1 ? null : `between ${interval(w)}.`) : null,
    w && w.recall < 1 ? el("p", { class: "note" }, "Not all caught: ", planted.rows.filter((x) => x.recall < 1).sort((a, b) => a.recall - b.recall).slice(0, 8).map((x) => `${x.family} (${x.tier}) ${x.caught}/${x.planted}`).join(", "), ".") : null,
    w ? el("p", {}, el("a", { href: "#by-family" }, "All families and tiers")) : null);
  $("q-first").append(el("ol", {}, data.verdict.look_first.map((x) => el("li", {}, el("a", { href: x.anchor }, x.text), el("span", { class: "note" }, ` ${x.why}`)))));
  const lossy = data.funnel.filter((f) => f.rejected || ["form", "language", "conduct", "duplicates", "contamination"].includes(f.stage));
  $("funnel").append(funnel(lossy, sum), el("p", { class: "note" },
    `${number(sum.kept)} kept + ${number(sum.rejected)} rejected + ${number(sum.failed)} failed = ${number(sum.attempted)} attempted: ${sum.adds_up ? "the sum holds." : "THE SUM DOES NOT HOLD."}`,
    sum.overridden || sum.dropped_by_review ? el("span", {}, " Reviewers let ", el("a", { href: "#review" }, number(sum.overridden)), " back in and dropped ", el("a", { href: "#review" }, number(sum.dropped_by_review)), ".") : null));

  // Planted leaks and what may be left.
  if (planted.missed.length) $("missed").append(el("h3", { class: "bad" }, "Missed"), table([{ key: "id", title: "id" }, { key: "tier", title: "tier" }, { key: "family", title: "family" }, { key: "form", title: "hidden as" }], planted.missed, "Planted leaks that got through"));
  $("by-family").append(table([
    { key: "family", title: "family" }, { key: "tier", title: "tier" }, { key: "planted", title: "planted", n: true }, { key: "caught", title: "caught", n: true },
    { key: "recall", title: "recall, 95 % interval", show: (x) => (x.recall == null ? "" : el("span", { class: "both" }, bar(x), el("span", { class: "note" }, interval(x)))) },
    { key: "rejected", title: "dropped here", n: true, show: (x) => behind(x.rejected, { tier: x.tier, family: x.family }, "rejects") },
    { key: "near", title: "came near", n: true, show: (x) => behind(x.near, { state: "kept", tier: x.tier, family: x.family, near: 60 }) },
  ], contamination.by_family, "By family and tier: planted leaks caught, texts of this corpus dropped, and kept texts at 0.6 of a threshold or more"));
  $("residual").append(residual.of && planted.count ? el("p", {}, `If real leaks are like the planted ones, and every contamination reject is a real leak, then each tier missed caught × (1 − recall) ÷ recall: about ${number(Math.round(residual.likely * 10) / 10)} of ${number(residual.of)} exported records, and at the low end of every interval (with one more reject) about ${number(Math.ceil(residual.upper))}. A kind of leak that nobody planted is in neither figure: read the nearest misses.`) : el("p", { class: "note" }, "No leaks were planted."));

  // Contamination.
  for (const [tier, h] of Object.entries(contamination.scores)) if ([...h.kept, ...h.rejected].slice(1).some(Boolean) || h.rejected.some(Boolean)) $("scores").append(histogram(tier, h));
  const lists = {
    rejects: cardList("rejects", contamination.rejects, ["family", "tier", "kind", "reason", "state"]),
    nearest: cardList("nearest", contamination.nearest, ["family", "tier", "kind"]),
  };
  const got = contamination.rejects.length;
  $("rejects-count").append(dropped > got ? el("span", {}, `${number(got)} of ${number(dropped)} with their text; `, link("all of them", "records", { stage: "contamination" })) : number(dropped));
  $("nearest-count").append(number(contamination.nearest.length));

  // Review.
  const share = (s) => (s.n ? `${number(s.leaks)} of ${number(s.n)}: ${percent(s.share, 0)} (${percent(s.low, 0)} to ${percent(s.high, 0)})` : "–");
  if (review.decided) {
    $("review-body").append(el("p", {}, `${plural(review.decided, "text")} judged by ${Object.keys(review.reviewers).join(", ")}. ${plural(sum.overridden, "reject")} let back in, ${plural(sum.dropped_by_review, "kept text")} dropped.`));
    if (review.pairs.length) $("review-body").append(table([{ key: "first", title: "reviewer" }, { key: "second", title: "and" }, { key: "n", title: "both judged", n: true }, { key: "agree", title: "agree", n: true, show: (p) => `${number(p.agree)} (${percent(p.agree / p.n, 0)})` }, { key: "kappa", title: "Cohen's kappa", n: true, show: (p) => (p.kappa == null ? "undefined: one answer only" : p.kappa.toFixed(2)) }], review.pairs, "Agreement of reviewers"));
    for (const p of review.precision) $("review-body").append(el("h3", {}, `What the decisions say of the ${p.tier} tier`),
      el("p", {}, `At its threshold of ${p.threshold}: leaks among judged texts above it ${share(p.above)}; below it ${share(p.below)}.`),
      p.steps.length > 1 ? el("details", {}, el("summary", {}, "Precision from other scores up"), table([{ key: "from", title: "from score", n: true }, { key: "leaks", title: "leaks among judged, precision (95 %)", show: share }], p.steps.filter((s) => s.n), `Precision of the ${p.tier} tier`, { plain: true })) : "");
    if (review.overrides.length) $("review-body").append(table([{ key: "id", title: "record", show: (o) => link(o.id, "records", { text: o.id }) }, { key: "was", title: "was" }, { key: "state", title: "is now" }, { key: "reviewers", title: "by" }, { key: "note", title: "note" }], review.overrides, "Overrides"));
  } else $("review-body").append(el("p", { class: "note" }, "Nobody has judged a text of this run yet. ", el("code", {}, `storygen review ${data.folder}`), " opens the page for it."));

  // Duplicates.
  $("dup-summary").append(duplicates.count ? el("span", {}, behind(duplicates.count, { stage: "duplicates", state: "rejected" }), ` of ${number(sum.attempted)} texts were dropped because an earlier one is near them: word 5-gram Jaccard of 0.7 or more, each verified exactly.`) : "No text is near an earlier one (word 5-gram Jaccard of 0.7 or more).");
  if (duplicates.count) $("clusters").append(el("div", { class: "two" },
    table([{ key: "size", title: "texts in the cluster", n: true }, { key: "n", title: "clusters", n: true }], Object.entries(duplicates.clusters).map(([size, n]) => ({ size: Number(size), n })), "Cluster sizes"),
    table([{ key: "id", title: "first text", show: (x) => link(x.id, "records", { text: x.id }) }, { key: "texts", title: "texts", n: true }], duplicates.largest, "Largest clusters")));
  const pairs = duplicates.pairs.map((pair) => el("details", { class: "pair-of-texts" }, el("summary", {}, `${pair.b.id} is near ${pair.a.id}: Jaccard ${pair.jaccard.toFixed(3)}`), el("div", { class: "side" }, card(pair.a), card(pair.b))));
  if (pairs.length) pairs[0].open = true;
  for (const pair of duplicates.pairs) for (const c of [pair.a, pair.b]) if (!texts.cards.has(c.id)) texts.cards.set(c.id, c);
  $("pairs").append(pairs.length ? el("p", { class: "note" }, "Marked: the words in which the two differ.") : "", ...pairs);

  // Other rejects.
  $("reasons").append(data.reasons.length ? table([{ key: "stage", title: "stage" }, { key: "reason", title: "reason" }, { key: "count", title: "texts", n: true, show: (x) => (x.stage === "writer" ? number(x.count) : behind(x.count, { state: "rejected", reason: x.reason })) }, { key: "kinds", title: "by kind", show: (x) => Object.entries(x.by_kind).map(([k, n], i) => [i ? ", " : "", `${k} `, x.stage === "writer" ? number(n) : behind(n, { state: "rejected", reason: x.reason, kind: k })]) }], data.reasons, "Every reason for which a text was dropped") : el("p", { class: "note" }, "Nothing was rejected."));
  for (const [stage, list] of Object.entries(data.others)) {
    const id = `others-${stage}`;
    $("others-cards").append(el("h3", { id }, stage === "conduct" ? "Conduct: the AI does the harm" : stage[0].toUpperCase() + stage.slice(1)), el("div", { id: `${id}-cards` }));
    lists[id] = cardList(id, list, ["reason", "kind"]);
  }

  // Diversity.
  const value = (f, x) => (x == null ? "" : f.unit === "share" ? percent(x, 2) : number(Number(x.toPrecision(3))));
  const quote = (text) => text.replace(/ …? ?\([\d,]+(?: of [\d,]+)?\)$/, "");
  const worst = diversity.figures.filter((f) => diversity.offenders.includes(f.name));
  $("offenders").append(worst.length ? el("ul", {}, worst.map((f) => el("li", {}, el("b", {}, f.name), `: ${value(f, f.value)}, good to ${value(f, f.good)}. `, (f.worst || []).map((q, i) => [i ? "; " : "", link(`“${q}”`, "records", { text: quote(q) })])))) : el("p", { class: "note" }, "Every figure that has a band is in its good part."));
  $("figures").append(table([{ key: "name", title: "figure" }, { key: "value", title: "value", n: true, show: (f) => value(f, f.value) }, { key: "grade", title: "band", show: (f) => el("span", { class: "both" }, band(f), f.grade === "plain" ? null : el("span", { class: f.grade }, f.grade)) }, { key: "good", title: "good to", n: true, show: (f) => value(f, f.good) }, { key: "bad", title: "bad from", n: true, show: (f) => value(f, f.bad) }, { key: "source", title: "source of the band" }], diversity.figures, "Diversity figures beside their reference bands"),
    table([{ key: "kind", title: "kind" }, { key: "records", title: "records", n: true, show: (t) => behind(t.records, { state: "kept", kind: t.kind }) }, { key: "words", title: "words", n: true }, { key: "tokens", title: "tokens, about", n: true }], Object.entries(data.tokens).map(([kind, t]) => ({ kind, ...t })), "Size by kind (tokens: words × 1.33)"));

  // Coverage.
  heat(index, Object.keys(coverage.axes));
  $("failing").append(coverage.failing.length ? table([{ key: "cell", title: "premise cell" }, { key: "attempted", title: "attempted", n: true, show: (x) => behind(x.attempted, { cell: x.cell }) }, { key: "kept", title: "kept", n: true, show: (x) => behind(x.kept, { cell: x.cell, state: "kept" }) }, { key: "lost", title: "lost", n: true, show: (x) => behind(x.lost, { cell: x.cell, state: "rejected" }) }, { key: "share", title: "share lost", n: true, show: (x) => percent(x.share) }], coverage.failing, "Cells that lose most") : el("p", { class: "note" }, "No cell lost a text."));
  for (const [axis, values] of Object.entries(coverage.axes)) {
    const rows = Object.entries(values).map(([v, n]) => ({ v, n })).sort((a, b) => b.n - a.n);
    const draw = () => { if (!box.querySelector("table")) box.append(table([{ key: "v", title: axis }, { key: "n", title: "kept records", n: true, show: (x) => (index.columns[axis] ? behind(x.n, { state: "kept", [axis]: x.v }) : number(x.n)) }], rows.slice(0, 300), axis)); };
    const box = el("details", { on: { toggle: draw } }, el("summary", {}, `${axis}: ${plural(rows.length, "value")}, ${number(rows[rows.length - 1].n)} to ${number(rows[0].n)} records each`));
    $("axes").append(box);
  }

  // Samples.
  for (const [kind, list] of Object.entries(data.samples)) {
    for (const x of list) if (!texts.cards.has(x.id)) texts.lines.set(x.id, JSON.stringify({ ...x, meta: { premise: x.premise } }));
    $("samples-cards").append(el("h3", {}, kind, " ", el("span", { class: "count" }, `${number(list.length)} of `, behind((data.tokens[kind] || {}).records, { state: "kept", kind }))),
      el("div", { class: "cards" }, list.map((x, k) => el("details", { class: "card", open: k === 0 }, el("summary", {}, visible(x.id), x.title ? [" · ", el("b", {}, visible(x.title))] : null),
        x.messages ? x.messages.map((m) => el("div", { class: `message ${m.role === "user" ? "user" : "assistant"}` }, el("p", { class: "note" }, m.role), marked(plainText(m.content), [], String(m.role)))) : marked(x.text, []), premise(x.premise)))));
  }

  // Cost, settings, versions.
  const cost = data.cost;
  $("cost").append(cost.calls ? el("div", {}, facts([["calls", cost.calls], ["US dollars", cost.usd], ["dollars a kept record", cost.usd_per_kept], ["of the input from the cache", percent(cost.cached_share ?? 0, 0)], ["dollars for answers that never came, at worst", cost.usd_unconfirmed ?? 0]]), dictionary(cost.tokens)) : el("p", {}, "No model was called: this run cost nothing but time."));
  if (data.seconds.wall) $("time").append(table([{ key: "stage", title: "stage" }, { key: "wall", title: "seconds, this process", n: true }, { key: "work", title: "seconds, all workers", n: true }], [...new Set([...Object.keys(data.seconds.wall), ...Object.keys(data.seconds.workers)])].map((stage) => ({ stage, wall: data.seconds.wall[stage], work: data.seconds.workers[stage] })), "Time by stage"));
  $("settings").append(el("h3", {}, "Settings"), dictionary(data.settings), el("h3", {}, "Bank of signatures"), el("p", {}, data.bank || "–"), el("h3", {}, "Versions"), dictionary(data.versions));
  $("reproduce").textContent = data.reproduce;

  // All records, and the addresses that open them: #records?state=kept, #rejects?family=blackmail
  lists.records = records(index);
  $("record-close").addEventListener("click", () => $("record").close());
  function follow() {
    const [name, query] = location.hash.slice(1).split("?");
    if (query === undefined || !lists[name]) return;
    lists[name].only(Object.fromEntries(new URLSearchParams(query)));
    $(name).scrollIntoView();
    $(name).focus({ preventScroll: true });
  }
  addEventListener("hashchange", follow);
  follow();
  $("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details.pair-of-texts, details.card").forEach((d) => { d.open = true; }));
})();
