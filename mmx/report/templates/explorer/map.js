/* One map of the films: drawn on two canvases, moved by pointer, wheel and keys. */

const EDGE = 18;
const FARTHEST = 64;

class FilmMap {
  /* asked: what the map tells the page: hover(film), select(film), enclose(points), moved(). */
  constructor(holder, space, state, asked) {
    Object.assign(this, { space, state, asked });
    this.xy = Float32Array.from(space.xy);
    this.plane = holder.querySelector(".plane");
    [this.base, this.top] = holder.querySelectorAll("canvas");
    this.painter = new PointPainter(this.base);
    this.bubble = holder.querySelector(".bubble");
    this.view = { scale: 1, x: 0, y: 0 };
    this.pointers = new Map();
    this.outline = null;
    holder.querySelectorAll("[data-zoom]").forEach((button) => {
      button.onclick = () => { asked.moving(); this.zoom(Number(button.dataset.zoom)); };
    });
    this.top.onpointermove = (event) => this.move(event);
    this.top.onpointerleave = () => asked.hover(-1);
    this.top.onpointerdown = (event) => this.press(event);
    this.top.onpointerup = (event) => this.release(event);
    this.top.onpointercancel = (event) => { this.pointers.delete(event.pointerId); this.outline = null; };
    this.top.ondblclick = (event) => { asked.moving(); this.zoom(event.shiftKey ? 0.5 : 2, this.point(event)); };
    this.top.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.top.onkeydown = (event) => this.key(event);
    new ResizeObserver(() => this.resize()).observe(this.plane);
  }

  /* ---- places ---- */
  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.plane.clientWidth;
    this.height = this.plane.clientHeight;
    for (const canvas of [this.base, this.top]) {
      canvas.width = Math.round(this.width * ratio);
      canvas.height = Math.round(this.height * ratio);
    }
    this.top.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.width && this.height) this.draw();
  }
  /* Pixels on the map of a place in 0..1000, upwards. */
  toX(x) { return EDGE + (this.width - 2 * EDGE) * ((x / 1000 - 0.5 - this.view.x) * this.view.scale + 0.5); }
  toY(y) { return EDGE + (this.height - 2 * EDGE) * ((0.5 - y / 1000 - this.view.y) * this.view.scale + 0.5); }
  across(film) { return this.toX(this.xy[2 * film]); }
  down(film) { return this.toY(this.xy[2 * film + 1]); }
  /** Return the place in 0..1000, upwards, of pixels on the map. */
  onGrid([x, y]) {
    const [across, down] = this.shares([x, y]);
    return [Math.round(1000 * (across + 0.5)), Math.round(1000 * (0.5 - down))];
  }
  /** Return pixels as shares of the whole map, from its centre. */
  shares([x, y]) {
    const { scale, x: left, y: top } = this.view;
    return [
      left + ((x - EDGE) / (this.width - 2 * EDGE) - 0.5) / scale,
      top + ((y - EDGE) / (this.height - 2 * EDGE) - 0.5) / scale,
    ];
  }
  place(film) { return [this.across(film), this.down(film)]; }
  point(event) {
    const box = this.top.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
  at([left, top]) {
    let best = -1, reach = 14 * 14;
    for (let film = 0; film < count; film++) {
      if (!this.state.shown[film]) continue;
      const distance = (this.across(film) - left) ** 2 + (this.down(film) - top) ** 2;
      if (distance < reach) [best, reach] = [film, distance];
    }
    return best;
  }

  /* ---- drawing ---- */
  draw() {
    if (this.state.density) drawDensity(this, this.state);
    else this.drawPoints();
    this.mark();
  }
  drawPoints() {
    const { shown, colours } = this.state;
    const ratio = this.base.width / this.width;
    const radius = Math.max(1.3, Math.min(5, 150 / Math.sqrt(count))) * Math.min(2, Math.sqrt(this.view.scale));
    const dim = rgb(ink("--line"));
    this.painter.begin(radius * ratio);
    for (const layer of [0, 1]) {
      for (let film = 0; film < count; film++) {
        if (shown[film] !== layer) continue;
        const x = this.across(film), y = this.down(film);
        if (x < -radius || y < -radius || x > this.width + radius || y > this.height + radius) continue;
        const [from, at] = layer ? [colours, 3 * film] : [dim, 0];
        this.painter.add(x * ratio, y * ratio, from[at], from[at + 1], from[at + 2], layer ? 0.85 : 0.7);
      }
    }
    this.painter.end();
  }
  mark() {
    const pen = this.top.getContext("2d");
    const { selected, hovered, area } = this.state;
    pen.clearRect(0, 0, this.width, this.height);
    if (this.state.names && this.space.names.length > 1) writeClusters(this, pen, ink("--panel"), ink("--ink"));
    if (selected >= 0) this.rays(pen, selected);
    for (const film of [selected, hovered]) {
      if (film < 0) continue;
      pen.strokeStyle = ink("--ink");
      pen.lineWidth = film === selected ? 2.2 : 1.2;
      pen.beginPath();
      pen.arc(...this.place(film), 7, 0, 6.2832);
      pen.stroke();
    }
    const outline = this.outline || (area && area.space === this.space ? area.points : null);
    if (outline) this.enclosure(pen, outline);
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
  enclosure(pen, points) {
    pen.strokeStyle = ink("--accent");
    pen.lineWidth = 1.4;
    pen.setLineDash([5, 4]);
    pen.beginPath();
    for (const [x, y] of points) pen.lineTo(this.toX(x), this.toY(y));
    pen.closePath();
    pen.stroke();
    pen.setLineDash([]);
  }
  name() {
    const film = this.state.hovered;
    this.bubble.hidden = film < 0;
    if (film < 0) return;
    const [x, y] = this.place(film);
    if (this.named !== film) this.bubble.replaceChildren(...contactSheet(film, 4), `${caption(film)} · ${genreNames(film)}`);
    this.named = film;
    this.bubble.style.left = `${Math.max(4, Math.min(x + 12, this.width - this.bubble.offsetWidth - 4))}px`;
    this.bubble.style.top = `${Math.max(4, Math.min(y + 12, this.height - this.bubble.offsetHeight - 4))}px`;
  }

  /* ---- pointers: a click selects, a drag moves the map or encloses films, two fingers zoom ---- */
  press(event) {
    if (event.button) return;
    this.top.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.point(event));
    this.start = this.point(event);
    this.dragged = false;
    this.shape = event.shiftKey ? "lasso" : this.state.tool;
  }
  move(event) {
    const [was, now] = [this.pointers.get(event.pointerId), this.point(event)];
    if (!was) { this.asked.hover(this.at(now)); return; }
    if (!this.dragged && Math.hypot(now[0] - this.start[0], now[1] - this.start[1]) < 4) return;
    if (!this.dragged && this.shape === "pan") this.asked.moving();
    this.dragged = true;
    if (this.pointers.size === 2) this.pinch(event.pointerId, now);
    else if (this.shape === "pan") this.shift(now[0] - was[0], now[1] - was[1]);
    else this.trace(now);
    this.pointers.set(event.pointerId, now);
  }
  trace(now) {
    const [x, y] = this.start;
    const corners = [[x, y], [now[0], y], now, [x, now[1]]].map((corner) => this.onGrid(corner));
    if (this.shape === "box") this.outline = corners;
    else this.outline = [...(this.outline || [this.onGrid(this.start)]), this.onGrid(now)];
    this.mark();
  }
  release(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const outline = this.outline;
    this.outline = null;
    if (!this.dragged) {
      const film = this.at(this.point(event));
      if (film >= 0) this.asked.select(film);
    } else if (outline) this.asked.enclose(this.space, outline);
    else this.asked.moved();
  }
  pinch(moving, now) {
    const [[, still]] = [...this.pointers].filter(([id]) => id !== moving);
    const was = this.pointers.get(moving);
    const spread = (one) => Math.max(Math.hypot(one[0] - still[0], one[1] - still[1]), 1);
    this.outline = null;
    this.zoom(spread(now) / spread(was), [(now[0] + still[0]) / 2, (now[1] + still[1]) / 2]);
  }
  wheel(event) {
    const factor = 2 ** (-event.deltaY * (event.deltaMode ? 20 : 1) / 300);
    // Zoomed all the way out, the wheel scrolls the page again.
    if (factor <= 1 && this.view.scale === 1) return;
    event.preventDefault();
    this.asked.moving();
    this.zoom(factor, this.point(event));
  }
  shift(dx, dy) {
    this.look(this.view.scale,
      this.view.x - dx / ((this.width - 2 * EDGE) * this.view.scale),
      this.view.y - dy / ((this.height - 2 * EDGE) * this.view.scale));
  }
  /** Zoom by a factor, 0 for the whole map; what lies under `centre` stays there. */
  zoom(factor, centre = null) {
    if (!factor) { this.look(1, 0, 0); this.asked.moved(); return; }
    const film = this.state.selected;
    const fixed = centre || (film >= 0 ? this.place(film) : [this.width / 2, this.height / 2]);
    const [x, y] = this.shares(fixed);
    const scale = Math.max(1, Math.min(FARTHEST, this.view.scale * factor));
    const left = x - ((fixed[0] - EDGE) / (this.width - 2 * EDGE) - 0.5) / scale;
    const top = y - ((fixed[1] - EDGE) / (this.height - 2 * EDGE) - 0.5) / scale;
    this.look(scale, scale === 1 ? 0 : left, scale === 1 ? 0 : top);
    this.asked.moved();
  }
  look(scale, x, y) {
    const within = (value) => Math.max(-0.5, Math.min(0.5, value));
    this.view = { scale, x: within(x), y: within(y) };
    this.top.style.touchAction = scale === 1 && this.state.tool === "pan" ? "pan-y" : "none";
    if (this.width) this.draw();
  }

  /* ---- keys ---- */
  key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) event.preventDefault();
    if (way && event.shiftKey) { this.shift(-40 * way[0], -40 * way[1]); this.asked.moved(); }
    else if (way) this.asked.select(this.toward(way));
    if (event.key === "+" || event.key === "-") this.zoom(event.key === "+" ? 2 : 0.5);
    if (event.key === "0") this.zoom(0);
  }
  toward([across, down]) {
    const { selected, shown } = this.state;
    if (selected < 0) return shown.indexOf(1);
    const [x, y] = this.place(selected);
    let best = selected, least = Infinity;
    for (let film = 0; film < count; film++) {
      if (!shown[film] || film === selected) continue;
      const [ox, oy] = this.place(film);
      const ahead = (ox - x) * across + (oy - y) * down;
      const aside = Math.abs((ox - x) * down) + Math.abs((oy - y) * across);
      if (ahead > 0 && ahead + 2 * aside < least) [best, least] = [film, ahead + 2 * aside];
    }
    return best;
  }
}


const near = (space, film) => space.near.slice(film * films.k, (film + 1) * films.k);

/** Return whether a point lies inside a polygon: an odd number of its sides is to the right. */
function inside(x, y, points) {
  let odd = false;
  points.forEach(([ax, ay], at) => {
    const [bx, by] = points[(at + 1) % points.length];
    if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) odd = !odd;
  });
  return odd;
}
