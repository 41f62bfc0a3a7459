/* The explorer: two linked maps of the same films, filters, a list and a card. */

const state = {
  selected: -1,
  hovered: -1,
  genres: new Set(),
  any: false,
  area: null, // { space, points }: films outside this outline on one map are not shown
  cluster: null, // { at, number }: only the films of this cluster of a space are shown
  tool: "pan",
  density: false, // draw how many films lie where
  names: false, // write the names of clusters on the maps
  colour: "genre",
  colours: new Uint8Array(3 * count), // red, green and blue of each film
  order: "listed",
  shown: new Uint8Array(count).fill(1),
};
const search = byId("search");
const folded = films.titles.map((title, film) => fold(`${title} ${films.ids[film]}`));
const past = [];
const genreTotals = films.genres.map(() => 0);
films.labels.forEach((own) => own.forEach((genre) => genreTotals[genre]++));
let found = [];
let current = "", noting = 0, remembered = -Infinity;

const maps = [...document.querySelectorAll(".map")].map((holder, at) => new FilmMap(holder, films.spaces[at], state, {
  hover, select, enclose, moved: noteSoon, moving: () => remember(700),
}));
const ranges = [["year", "Year", films.years], ["seconds", "Length in seconds", films.seconds || []]]
  .filter(([, , values]) => new Set(values.filter((value) => value !== null)).size > 1)
  .map(([name, title, values]) => new NumberRange(byId("ranges"), name, title, values, () => change()));
const chips = [...document.querySelectorAll("#by-genre [data-genre]")];

/* ---- films ---- */
function hover(film) {
  if (film === state.hovered) return;
  state.hovered = film;
  maps.forEach((map) => map.mark());
}
function open(film) {
  state.selected = film;
  showCard(film);
  byId("dock").scrollTop = 0;
  maps.forEach((map) => map.mark());
}
function select(film) {
  open(film);
  byId("said").textContent = film < 0 ? "" : `Selected ${caption(film)}`;
  note();
}

/* ---- filters ---- */
function passing() {
  const words = fold(search.value).split(/\s+/).filter(Boolean);
  const chosen = [...state.genres];
  const tests = ranges.map((range) => range.passes);
  const { area, cluster } = state;
  if (words.length) tests.push((film) => words.every((word) => folded[film].includes(word)));
  if (chosen.length) {
    const how = state.any ? "some" : "every";
    tests.push((film) => chosen[how]((genre) => films.labels[film].includes(genre)));
  }
  if (cluster) tests.push((film) => films.spaces[cluster.at].clusters[film] === cluster.number);
  if (area) tests.push((film) => inside(area.space.xy[2 * film], area.space.xy[2 * film + 1], area.points));
  return (film) => tests.every((test) => test(film));
}
function filter() {
  const passes = passing();
  found = [];
  for (let film = 0; film < count; film++) {
    state.shown[film] = passes(film) ? 1 : 0;
    if (state.shown[film]) found.push(film);
  }
  byId("found").textContent = found.length === count ? `${count} trailers` : `${found.length} of ${count} trailers`;
  found = inOrder(found, state.order);
  showList(found);
  ranges.forEach((range) => range.draw(state.shown));
  countGenres();
  byId("filters").textContent = told();
  redraw();
}
/** Draw the maps that have a size yet. */
function redraw() {
  maps.filter((map) => map.width).forEach((map) => map.draw());
}
function countGenres() {
  const counts = new Array(films.genres.length).fill(0);
  for (const film of found) for (const genre of films.labels[film]) counts[genre]++;
  const most = Math.max(1, ...genreTotals);
  chips.forEach((chip, genre) => {
    chip.querySelector("small").textContent = counts[genre];
    chip.style.setProperty("--all", genreTotals[genre] / most);
    chip.style.setProperty("--now", counts[genre] / most);
  });
}
function paint() {
  const { of, key } = colouring(state.colour);
  for (let film = 0; film < count; film++) state.colours.set(rgb(of(film)), 3 * film);
  byId("key").replaceChildren(...key.map(([name, colour], number) => {
    const dot = element("i");
    dot.style.background = colour;
    return keyEntry(number, dot, name);
  }));
}
/** Return an entry of the key; that of a cluster is a button which shows its films alone. */
function keyEntry(number, ...parts) {
  const [kind, at] = state.colour.split(":");
  if (kind !== "cluster") return element("span", {}, ...parts);
  const button = element("button", { type: "button" }, ...parts);
  button.dataset.cluster = `${at} ${number}`;
  button.onclick = () => change(() => {
    state.cluster = isCluster(button.dataset.cluster) ? null : readCluster([Number(at), number]);
  });
  return button;
}
const isCluster = (text) => Boolean(state.cluster) && `${state.cluster.at} ${state.cluster.number}` === text;
function readCluster([at, number]) {
  return films.spaces[at] && films.spaces[at].names[number] ? { at, number } : null;
}
function enclose(space, points) {
  change(() => { state.area = { space, points: thinned(points) }; });
}
/** Keep at most 64 points of an outline, so that a link to it stays short. */
const thinned = (points) => points.filter((_, at) => at % Math.ceil(points.length / 64) === 0);

/* ---- the address: all that can be chosen, so that a link shows the same ---- */
/** Return what is chosen, but for the film, as parts of an address. */
function choices() {
  const parts = new URLSearchParams();
  const put = (name, value) => { if (value) parts.append(name, value); };
  put("q", search.value);
  state.genres.forEach((genre) => put("genre", films.genres[genre]));
  put("any", state.any && "1");
  ranges.forEach((range) => put(range.name, range.ends.some(Boolean) && range.ends.join("-")));
  put("colour", state.colour !== "genre" && state.colour);
  put("order", state.order !== "listed" && state.order);
  if (state.cluster) put("cluster", `${state.cluster.at} ${state.cluster.number}`);
  put("density", state.density && "1");
  put("names", state.names && "1");
  if (state.area) put("area", [films.spaces.indexOf(state.area.space), ...state.area.points.flat()].join(" "));
  maps.forEach(({ view }, at) => put("view", (view.scale !== 1 || view.x || view.y)
    && [at, view.scale.toFixed(3), view.x.toFixed(4), view.y.toFixed(4)].join(" ")));
  return parts.toString();
}
/** Go to what an address says; a part that makes no sense is left out. */
function go(text) {
  const parts = new URLSearchParams(text);
  search.value = parts.get("q") || "";
  state.genres = new Set(parts.getAll("genre").map((name) => films.genres.indexOf(name)).filter((at) => at >= 0));
  state.any = parts.has("any");
  ranges.forEach((range) => { range.ends = (parts.get(range.name) || "").split("-"); });
  byId("colour").value = parts.get("colour") || "genre";
  state.colour = byId("colour").value || (byId("colour").value = "genre");
  state.order = ORDERS[parts.get("order")] ? parts.get("order") : "listed";
  state.cluster = readCluster(numbers(parts.get("cluster")));
  state.density = parts.has("density");
  state.names = parts.has("names");
  state.area = readArea(numbers(parts.get("area")));
  maps.forEach((map) => map.look(1, 0, 0));
  for (const [at, scale, x, y] of parts.getAll("view").map(numbers)) {
    if (maps[at] && scale >= 1 && scale <= FARTHEST && Number.isFinite(x + y)) maps[at].look(scale, x, y);
  }
  current = choices();
  showControls();
  paint();
  filter();
  open(films.ids.indexOf(parts.get("film")));
}
const numbers = (text) => (text ? text.split(" ").map(Number) : []);
function readArea([at, ...flat]) {
  if (!films.spaces[at] || flat.length < 6 || flat.length % 2 || flat.some(Number.isNaN)) return null;
  return { space: films.spaces[at], points: flat.flatMap((x, i) => (i % 2 ? [] : [[x, flat[i + 1]]])) };
}
function showControls() {
  chips.forEach((chip, genre) => chip.setAttribute("aria-pressed", state.genres.has(genre)));
  byId("any").setAttribute("aria-pressed", state.any);
  for (const name of ["density", "names"]) byId(name).setAttribute("aria-pressed", state[name]);
  byId("key").querySelectorAll("[data-cluster]").forEach((one) => one.setAttribute("aria-pressed", isCluster(one.dataset.cluster)));
  byId("order").value = state.order;
  byId("clear").hidden = !current;
}
/** Return in words what is filtered, for print, where the controls are hidden. */
function told() {
  const parts = [`${found.length} of ${count} trailers`];
  if (search.value) parts.push(`with “${search.value}” in title or identifier`);
  if (state.genres.size) parts.push(`of ${[...state.genres].map((genre) => films.genres[genre]).join(state.any ? " or " : " and ")}`);
  for (const { title, ends: [from, to] } of ranges) {
    if (from || to) parts.push(`${title.toLowerCase()} ${[from && `from ${from}`, to && `to ${to}`].filter(Boolean).join(" ")}`);
  }
  if (state.cluster) parts.push(`in cluster ${state.cluster.number + 1} of the ${films.spaces[state.cluster.at].name} space`);
  if (state.area) parts.push(`inside an outline on the ${state.area.space.name} space`);
  return `Shown: ${parts.join(", ")}.`;
}
/** Write what is shown into the address. */
function note() {
  clearTimeout(noting);
  current = choices();
  showControls();
  const film = state.selected < 0 ? "" : new URLSearchParams({ film: films.ids[state.selected] }).toString();
  history.replaceState(null, "", `#${[film, current].filter(Boolean).join("&") || "explorer"}`);
}
/** The same, once for movements that follow each other: browsers limit how often. */
function noteSoon() {
  clearTimeout(noting);
  noting = setTimeout(note, 150);
}

/* ---- undo: Escape closes the card, then takes back one change after the other ---- */
/** Keep what was shown before a change, once for changes within `pause` ms. */
function remember(pause = 0) {
  const now = performance.now();
  if (now - remembered > pause) past.push(current);
  remembered = now;
}
function change(make = () => {}) {
  remember();
  make();
  filter();
  note();
}
function undo() {
  if (state.selected >= 0) { select(-1); return; }
  if (!past.length) return;
  go(past.pop());
  note();
}

/* ---- controls ---- */
let waiting = 0;
search.oninput = () => { clearTimeout(waiting); waiting = setTimeout(change, 60); };
search.onkeydown = (event) => {
  if (event.key === "Enter") { clearTimeout(waiting); change(); select(found.length ? found[0] : -1); }
};
chips.forEach((chip, genre) => {
  chip.onclick = () => change(() => state.genres[state.genres.has(genre) ? "delete" : "add"](genre));
});
byId("any").onclick = () => change(() => { state.any = !state.any; });
byId("clear").onclick = () => { remember(); go(""); note(); };
byId("colour").append(...colourings());
byId("colour").onchange = (event) => change(() => {
  state.colour = event.target.value;
  // What is coloured by cluster is read by the clusters' names.
  state.names = state.names || state.colour.startsWith("cluster");
  paint();
});
for (const name of ["density", "names"]) byId(name).onclick = () => change(() => { state[name] = !state[name]; });
byId("names").hidden = films.spaces.every((space) => space.names.length < 2);
byId("order").append(...Object.entries(ORDERS).map(([value, [textContent]]) => element("option", { value, textContent })));
byId("order").onchange = (event) => change(() => { state.order = event.target.value; });
byId("csv").onclick = () => save("trailers.csv", toCsv(found));
byId("link").onclick = async () => {
  byId("said").textContent = await copy(location.href) ? "Link copied" : "The link is in the address bar";
};
document.querySelectorAll("[data-tool]").forEach((button) => {
  button.onclick = () => {
    state.tool = button.dataset.tool;
    document.querySelectorAll("[data-tool]").forEach((one) =>
      one.setAttribute("aria-pressed", one.dataset.tool === state.tool));
    maps.forEach((map) => map.look(map.view.scale, map.view.x, map.view.y));
  };
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !(event.target.matches("input") && event.target.value)) undo();
});

/* ---- page ---- */
document.querySelectorAll("[data-still]").forEach((one) => cut(one, Number(one.dataset.still)));
document.querySelectorAll("[data-film]").forEach((button) => {
  button.onclick = () => { select(Number(button.dataset.film)); byId("explorer").scrollIntoView(); };
});
byId("theme").onclick = () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  redraw();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
/* Paper is light: canvases are painted again for it, and afterwards as they were. */
let screenTheme;
window.onbeforeprint = () => { screenTheme = root.dataset.theme; root.dataset.theme = "light"; redraw(); };
window.onafterprint = () => {
  if (screenTheme) root.dataset.theme = screenTheme; else delete root.dataset.theme;
  redraw();
};
/* What scrolls by itself is reached by the keyboard, under the name of the heading above it. */
document.querySelectorAll(".scroll").forEach((box) => {
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  const heading = box.closest("section")?.querySelector("h2");
  if (!box.ariaLabel && heading) box.setAttribute("aria-label", heading.textContent);
});
/** Show what the address says, where it says more than a place on the page. */
function follow() {
  if (!location.hash.includes("=")) return;
  go(location.hash.slice(1));
  byId("explorer").scrollIntoView();
}
window.onhashchange = follow;
go("");
follow();
const readyAt = performance.now();
root.dataset.ready = "yes";
