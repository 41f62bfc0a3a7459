"use strict";
/* The explorer: two maps of the same films, linked. Text reaches the page as text only. */
(() => {
  const films = JSON.parse(document.getElementById("films").textContent);
  const count = films.ids.length;
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement;
  const state = { selected: -1, hovered: -1, genres: new Set(), shown: new Uint8Array(count).fill(1) };

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const percent = (value) => `${value} %`;
  const genreNames = (film) => films.labels[film].map((g) => films.genres[g]).join(", ");
  const caption = (film) => films.titles[film] + (films.years[film] ? ` (${films.years[film]})` : "");
  const filmButton = (film) =>
    element("button", { type: "button", className: "film", textContent: caption(film), onclick: () => select(film) });
  const ink = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  /* ---- one map ---- */
  class Plane {
    constructor(holder, space) {
      this.space = space;
      this.plane = holder.querySelector(".plane");
      [this.base, this.top] = holder.querySelectorAll("canvas");
      this.bubble = holder.querySelector(".bubble");
      this.view = { scale: 1, x: 0, y: 0 };
      this.drag = null;
      holder.querySelectorAll(".zoom button").forEach((button) => {
        button.onclick = () => this.zoom(Number(button.dataset.zoom));
      });
      this.top.onpointermove = (event) => this.move(event);
      this.top.onpointerleave = () => { this.drag = null; hover(-1); };
      this.top.onpointerdown = (event) => { this.drag = { x: event.clientX, y: event.clientY, moved: false }; };
      this.top.onpointerup = (event) => this.release(event);
      this.top.ondblclick = () => this.zoom(2);
      this.top.onkeydown = (event) => this.key(event);
      new ResizeObserver(() => this.resize()).observe(this.plane);
    }
    resize() {
      const ratio = window.devicePixelRatio || 1;
      this.width = this.plane.clientWidth;
      this.height = this.plane.clientHeight;
      for (const canvas of [this.base, this.top]) {
        canvas.width = Math.round(this.width * ratio);
        canvas.height = Math.round(this.height * ratio);
        canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
      }
      this.draw();
    }
    place(film) {
      const { scale, x, y } = this.view;
      const edge = 18;
      return [
        edge + (this.width - 2 * edge) * ((this.space.xy[2 * film] / 1000 - 0.5 - x) * scale + 0.5),
        edge + (this.height - 2 * edge) * ((0.5 - this.space.xy[2 * film + 1] / 1000 - y) * scale + 0.5),
      ];
    }
    draw() {
      const pen = this.base.getContext("2d");
      pen.clearRect(0, 0, this.width, this.height);
      const radius = Math.max(1.8, Math.min(5, 90 / Math.sqrt(count))) * Math.min(2, Math.sqrt(this.view.scale));
      const dim = ink("--line");
      for (const layer of [0, 1]) {
        for (let film = 0; film < count; film++) {
          if (state.shown[film] !== layer) continue;
          const [x, y] = this.place(film);
          pen.fillStyle = layer ? films.colours[films.labels[film][0]] || dim : dim;
          pen.globalAlpha = layer ? 0.85 : 0.7;
          pen.beginPath();
          pen.arc(x, y, radius, 0, 6.2832);
          pen.fill();
        }
      }
      pen.globalAlpha = 1;
      this.mark();
    }
    mark() {
      const pen = this.top.getContext("2d");
      pen.clearRect(0, 0, this.width, this.height);
      if (state.selected >= 0) this.rays(pen, state.selected);
      for (const film of [state.selected, state.hovered]) {
        if (film < 0) continue;
        pen.strokeStyle = ink("--ink");
        pen.lineWidth = film === state.selected ? 2.2 : 1.2;
        pen.beginPath();
        pen.arc(...this.place(film), 7, 0, 6.2832);
        pen.stroke();
      }
      this.name();
    }
    rays(pen, film) {
      const [x, y] = this.place(film);
      pen.strokeStyle = ink("--soft");
      pen.lineWidth = 0.8;
      for (const other of near(this.space, film)) {
        pen.beginPath();
        pen.moveTo(x, y);
        pen.lineTo(...this.place(other));
        pen.stroke();
      }
    }
    name() {
      const film = state.hovered;
      this.bubble.hidden = film < 0;
      if (film < 0) return;
      const [x, y] = this.place(film);
      this.bubble.textContent = `${caption(film)} · ${genreNames(film)}`;
      this.bubble.style.left = `${Math.max(4, Math.min(x + 12, this.width - this.bubble.offsetWidth - 4))}px`;
      this.bubble.style.top = `${Math.max(4, Math.min(y + 12, this.height - this.bubble.offsetHeight - 4))}px`;
    }
    at(event) {
      const box = this.top.getBoundingClientRect();
      let best = -1, reach = 14 * 14;
      for (let film = 0; film < count; film++) {
        if (!state.shown[film]) continue;
        const [x, y] = this.place(film);
        const distance = (x - event.clientX + box.left) ** 2 + (y - event.clientY + box.top) ** 2;
        if (distance < reach) [best, reach] = [film, distance];
      }
      return best;
    }
    move(event) {
      if (!this.drag || this.view.scale === 1) { hover(this.at(event)); return; }
      const [dx, dy] = [event.clientX - this.drag.x, event.clientY - this.drag.y];
      if (!this.drag.moved && dx * dx + dy * dy < 16) return;
      this.drag = { x: event.clientX, y: event.clientY, moved: true };
      this.view.x -= dx / (this.width * this.view.scale);
      this.view.y -= dy / (this.height * this.view.scale);
      this.draw();
    }
    release(event) {
      const dragged = this.drag && this.drag.moved;
      this.drag = null;
      const film = dragged ? -1 : this.at(event);
      if (film >= 0) select(film);
    }
    zoom(factor) {
      const film = state.selected;
      this.view.scale = factor ? Math.max(1, Math.min(32, this.view.scale * factor)) : 1;
      if (this.view.scale === 1) this.view.x = this.view.y = 0;
      else if (film >= 0 && factor > 1) {
        this.view.x = this.space.xy[2 * film] / 1000 - 0.5;
        this.view.y = 0.5 - this.space.xy[2 * film + 1] / 1000;
      }
      this.draw();
    }
    key(event) {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (way) { event.preventDefault(); select(this.toward(way)); }
      if (event.key === "+" || event.key === "-") this.zoom(event.key === "+" ? 2 : 0.5);
      if (event.key === "Escape") select(-1);
    }
    toward([across, down]) {
      if (state.selected < 0) return state.shown.indexOf(1);
      const [x, y] = this.place(state.selected);
      let best = state.selected, least = Infinity;
      for (let film = 0; film < count; film++) {
        if (!state.shown[film] || film === state.selected) continue;
        const [ox, oy] = this.place(film);
        const ahead = (ox - x) * across + (oy - y) * down;
        const aside = Math.abs((ox - x) * down) + Math.abs((oy - y) * across);
        if (ahead > 0 && ahead + 2 * aside < least) [best, least] = [film, ahead + 2 * aside];
      }
      return best;
    }
  }

  const near = (space, film) => space.near.slice(film * films.k, (film + 1) * films.k);
  const planes = [...document.querySelectorAll(".map")].map((holder, at) => new Plane(holder, films.spaces[at]));

  function hover(film) {
    if (film === state.hovered) return;
    state.hovered = film;
    planes.forEach((plane) => plane.mark());
  }

  /* ---- search and filters ---- */
  const search = byId("search");
  const [from, to] = [byId("from"), byId("to")];
  const folded = films.titles.map((title, film) =>
    `${title} ${films.ids[film]}`.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase());

  function passes(film, words) {
    const year = films.years[film];
    return words.every((word) => folded[film].includes(word))
      && [...state.genres].every((genre) => films.labels[film].includes(genre))
      && (!from || !from.value || (year !== null && year >= Number(from.value)))
      && (!to || !to.value || (year !== null && year <= Number(to.value)));
  }
  function filter() {
    const words = search.value.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (let film = 0; film < count; film++) {
      state.shown[film] = passes(film, words) ? 1 : 0;
      if (state.shown[film]) found.push(film);
    }
    byId("found").textContent = found.length === count ? `${count} trailers` : `${found.length} of ${count} trailers`;
    const narrowed = found.length < count ? found.slice(0, 12) : [];
    byId("results").replaceChildren(...narrowed.map((film) => element("li", {}, filmButton(film))));
    planes.forEach((plane) => plane.draw());
  }
  let waiting = 0;
  const later = () => { clearTimeout(waiting); waiting = setTimeout(filter, 60); };
  [search, from, to].forEach((input) => { if (input) input.oninput = later; });
  search.onkeydown = (event) => {
    if (event.key === "Enter") { clearTimeout(waiting); filter(); select(state.shown.indexOf(1)); }
  };
  document.querySelectorAll("#by-genre .chip").forEach((chip) => {
    chip.onclick = () => {
      const genre = Number(chip.dataset.genre);
      state.genres[state.genres.has(genre) ? "delete" : "add"](genre);
      chip.setAttribute("aria-pressed", state.genres.has(genre));
      filter();
    };
  });

  /* ---- the selected film ---- */
  const heading = (text) => element("h4", { textContent: text });

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
      list.append(element("li", {}, filmButton(other),
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
  const first = (film) => document.querySelector(`[data-first="${film}"]`);
  function stills(film) {
    const own = first(film);
    return own ? [own.src, ...((films.frames || {})[film] || [])] : [];
  }
  function show(film) {
    const card = byId("card");
    card.hidden = film < 0;
    if (film < 0) { card.replaceChildren(); return; }
    const parts = [element("h3", { textContent: caption(film) }), element("p", { className: "about", textContent: about(film) })];
    const frames = stills(film);
    if (frames.length) {
      parts.push(element("div", { className: "strip" }, ...frames.map((source, at) =>
        element("img", { src: source, alt: `Key frame ${at + 1} of ${films.titles[film]}` }))));
    }
    const columns = element("div", { className: "trio" });
    if (films.probabilities) columns.append(element("div", {}, heading("Predicted, ● marks a label, the line the threshold"), odds(film)));
    if (films.sequences && films.sequences[film]) columns.append(element("div", {}, heading("Genres over its running time"), times(film)));
    columns.append(...films.spaces.map((space) => neighbours(space, film)));
    card.replaceChildren(...parts, columns, provenance(film));
  }
  function select(film, quiet) {
    state.selected = film;
    show(film);
    planes.forEach((plane) => plane.mark());
    byId("said").textContent = film < 0 ? "" : `Selected ${caption(film)}`;
    if (!quiet) history.replaceState(null, "", film < 0 ? "#explorer" : `#film=${encodeURIComponent(films.ids[film])}`);
  }

  /* ---- page ---- */
  document.querySelectorAll("[data-still]").forEach((image) => { image.src = first(image.dataset.still).src; });
  document.querySelectorAll("[data-film]").forEach((button) => {
    button.onclick = () => { select(Number(button.dataset.film)); byId("explorer").scrollIntoView(); };
  });
  byId("theme").onclick = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    planes.forEach((plane) => plane.draw());
  };
  filter();
  const follow = () => {
    const film = location.hash.startsWith("#film=") ? films.ids.indexOf(decodeURIComponent(location.hash.slice(6))) : -1;
    if (film < 0) return;
    select(film, true);
    byId("explorer").scrollIntoView();
  };
  window.onhashchange = follow;
  follow();
  root.dataset.ready = "yes";
})();
