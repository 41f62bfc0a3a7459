/* The trailers that pass the filters, as a list that sorts and leaves the page as CSV or as a link. */

/** Films that the list shows at once: on a phone the page goes on below it. */
const PAGE = matchMedia("(max-width: 44rem)").matches ? 12 : 50;
const ORDERS = {
  listed: ["as listed", (film) => film],
  title: ["by title", (film) => fold(films.titles[film])],
  year: ["by year", (film) => films.years[film] ?? Infinity],
  genre: ["by genre", (film) => genreNames(film)],
};

/** Return films in this order; equals stay as listed. */
function inOrder(found, order) {
  const key = (ORDERS[order] || ORDERS.listed)[1];
  const keyed = found.map((film) => [key(film), film]);
  keyed.sort(([a, one], [b, other]) => (a < b ? -1 : a > b ? 1 : one - other));
  return keyed.map(([, film]) => film);
}

/** Show the first films of a list, and a button for more. */
function showList(found, shown = PAGE) {
  const items = found.slice(0, shown).map((film) =>
    element("li", {}, ...thumb(film), filmButton(film), element("small", { textContent: genreNames(film) })));
  byId("results").replaceChildren(...items);
  const more = byId("more");
  more.hidden = found.length <= shown;
  more.textContent = `Show ${Math.min(PAGE, found.length - shown)} more`;
  more.onclick = () => showList(found, shown + PAGE);
}

/** Return a cell of CSV; a spreadsheet must not take a title for a formula. */
function csvCell(value) {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Return films as CSV: id, title, year, genres, split. */
function toCsv(found) {
  const rows = found.map((film) => [
    films.ids[film], films.titles[film], films.years[film] ?? "",
    films.labels[film].map((genre) => films.genres[genre]).join("|"), films.splits ? films.splits[film] : "",
  ]);
  return [["trailer_id", "title", "year", "genres", "split"], ...rows]
    .map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n";
}

/** Have the browser save a text as a file. */
function save(name, text) {
  const link = element("a", { download: name, href: URL.createObjectURL(new Blob([text], { type: "text/csv" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Copy a text; resolve to whether that was possible. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.body.appendChild(element("textarea", { value: text }));
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
