/* The card of the selected film. */

const filmButton = (film) =>
  element("button", { type: "button", className: "film", textContent: caption(film), onclick: () => select(film) });
const heading = (text) => element("p", { className: "part", textContent: text });

function odds(film) {
  const list = element("dl", { className: "odds" });
  const chance = films.probabilities[film];
  const order = chance.map((_, genre) => genre).sort((a, b) => chance[b] - chance[a] || a - b);
  const labels = new Set(films.labels[film]);
  for (const genre of order.filter((g, rank) => rank < 6 || labels.has(g) || chance[g] > films.threshold)) {
    const bar = element("span", { className: "bar" }, element("i"), element("b"));
    bar.style.setProperty("--v", chance[genre] / 100);
    bar.style.setProperty("--at", films.threshold / 100);
    const name = element("dt", { textContent: films.genres[genre], className: labels.has(genre) ? "label" : "" });
    if (labels.has(genre)) name.append(element("span", { className: "visually-hidden", textContent: " (label)" }));
    list.append(name, element("dd", {}, bar), element("dd", { className: "n", textContent: percent(chance[genre]) }));
  }
  return list;
}
function times(film) {
  const { spans, values } = films.sequences[film];
  const peak = films.genres.map((_, genre) => Math.max(...values.map((row) => row[genre])));
  const rows = peak.map((_, genre) => genre).sort((a, b) => peak[b] - peak[a] || a - b).slice(0, 6);
  const box = element("div", { className: "times" });
  for (const genre of rows) {
    const lane = element("div", { className: "lane" });
    values.forEach((row, at) => {
      const cell = element("i", { title: `${spans[at]} to ${spans[at + 1]} s: ${percent(row[genre])}` });
      cell.style.opacity = 0.06 + 0.94 * row[genre] / 100;
      cell.style.flexGrow = Math.max(spans[at + 1] - spans[at], 0.1);
      lane.append(cell);
    });
    box.append(element("span", { textContent: films.genres[genre] }), lane);
  }
  box.append(element("div", { className: "scale" },
    element("span", { textContent: `${spans[0]} s` }), element("span", { textContent: `${spans.at(-1)} s` })));
  return box;
}
function neighbours(space, film) {
  const list = element("ol", { className: "near" });
  near(space, film).forEach((other, rank) => {
    list.append(element("li", {}, ...thumb(other), filmButton(other),
      element("span", { className: "n", textContent: (space.similarity[film * films.k + rank] / 1000).toFixed(3) }),
      element("small", { textContent: genreNames(other) })));
  });
  return element("div", {}, heading(`Nearest: ${space.name}`), list);
}
function about(film) {
  const facts = [genreNames(film), films.splits && films.splits[film]];
  if (films.facts && films.facts[film]) facts.push(...films.facts[film]);
  return facts.filter(Boolean).join(" · ");
}
function provenance(film) {
  const box = element("div", {}, heading("Where it comes from"));
  const line = element("p", { className: "note" }, "Identifier ", element("code", { textContent: films.ids[film] }));
  if (films.digests && films.digests[film]) {
    line.append(", video sha256 ", element("code", { textContent: films.digests[film] }),
      ". Every row: ", element("code", { textContent: `mmx trace ${films.ids[film]}` }));
  }
  box.append(line);
  return box;
}
/** Fill the card with a film and show it; empty and hide it for -1. */
function showCard(film) {
  const card = byId("card");
  card.hidden = film < 0;
  if (film < 0) { card.replaceChildren(); return; }
  const close = element("button", { type: "button", className: "close", textContent: "×", onclick: () => select(-1) });
  close.setAttribute("aria-label", "Close this trailer");
  const parts = [close, element("h3", { textContent: caption(film) }), element("p", { className: "about", textContent: about(film) })];
  parts.push(...clipStrip(film));
  const columns = element("div", { className: "facts" });
  if (films.probabilities) columns.append(element("div", {}, heading("Predicted, ● marks a label, the line the threshold"), odds(film)));
  if (films.sequences && films.sequences[film]) columns.append(element("div", {}, heading("Genres over its running time"), times(film)));
  columns.append(...films.spaces.map((space) => neighbours(space, film)));
  card.replaceChildren(...parts, columns, provenance(film));
}
