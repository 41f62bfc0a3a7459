/* A range of one number: a histogram to drag over and two fields to type into. */

const BINS = 40;

class NumberRange {
  /* values: a number or null per film. changed(): called when the user has chosen another range. */
  constructor(holder, name, title, values, changed) {
    Object.assign(this, { name, title, values, changed });
    const known = values.filter((value) => value !== null);
    this.least = Math.min(...known);
    this.width = Math.max(1, Math.ceil((Math.max(...known) - this.least + 1) / BINS));
    this.size = Math.floor((Math.max(...known) - this.least) / this.width) + 1;
    this.bars = Array.from({ length: this.size }, () => element("i", {}, element("b")));
    this.chart = element("div", { className: "bars" }, ...this.bars);
    this.chart.setAttribute("role", "img");
    this.chart.setAttribute("aria-label", `Trailers by ${title.toLowerCase()}; the fields below choose a range`);
    this.fields = ["from", "to"].map((end) =>
      element("input", { type: "number", id: `${name}-${end}`, placeholder: end, oninput: () => this.typed() }));
    this.fields.forEach((field, at) => field.setAttribute("aria-label", `${title}, ${["from", "to"][at]}`));
    holder.append(element("fieldset", { className: "range" },
      element("legend", { textContent: title }), this.chart, element("div", {}, ...this.fields)));
    this.chart.onpointerdown = (event) => this.press(event);
    this.chart.onpointermove = (event) => { if (this.begun >= 0) this.choose(this.begun, this.binAt(event)); };
    this.chart.onpointerup = () => { this.begun = -1; this.changed(); };
    this.begun = -1;
    this.all = this.counts(new Uint8Array(values.length).fill(1));
  }
  bin(value) { return Math.floor((value - this.least) / this.width); }
  counts(shown) {
    const found = new Array(this.size).fill(0);
    this.values.forEach((value, film) => { if (shown[film] && value !== null) found[this.bin(value)]++; });
    return found;
  }
  binAt(event) {
    const box = this.chart.getBoundingClientRect();
    const bin = Math.floor(this.size * (event.clientX - box.left) / box.width);
    return Math.max(0, Math.min(this.size - 1, bin));
  }
  press(event) {
    this.chart.setPointerCapture(event.pointerId);
    this.begun = this.binAt(event);
    this.choose(this.begun, this.begun);
  }
  choose(one, other) {
    const [first, last] = [Math.min(one, other), Math.max(one, other)];
    this.fields[0].value = this.least + first * this.width;
    this.fields[1].value = this.least + (last + 1) * this.width - 1;
  }
  typed() { clearTimeout(this.waiting); this.waiting = setTimeout(this.changed, 60); }
  /** The chosen ends as text, empty where the range is open. */
  get ends() { return this.fields.map((field) => field.value); }
  set ends(texts) { this.fields.forEach((field, at) => { field.value = texts[at] || ""; }); }
  /** Return a test of films: unknown numbers pass only an open range. */
  get passes() {
    const [from, to] = this.ends;
    return (film) => {
      const value = this.values[film];
      return (!from || (value !== null && value >= Number(from))) && (!to || (value !== null && value <= Number(to)));
    };
  }
  draw(shown) {
    const [most, now] = [Math.max(...this.all), this.counts(shown)];
    this.bars.forEach((bar, at) => {
      const from = this.least + at * this.width;
      const span = this.width > 1 ? `${from} to ${from + this.width - 1}` : `${from}`;
      bar.title = `${span}: ${now[at]} of ${this.all[at]}`;
      bar.style.setProperty("--all", this.all[at] / most);
      bar.style.setProperty("--now", now[at] / most);
    });
  }
}
