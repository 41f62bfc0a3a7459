/* Stills: cells cut out of a film's sheet, which has a column for each of some of its clips. */

const stills = films.stills || { sheets: [], clips: [] };
const hasStills = (film) => Boolean(stills.sheets[film]);
const sheetHeight = stills.height * (1 + (stills.flow ? 1 : 0) + (stills.previews || 0)) + stills.wave;
/** Top and height of a row of a sheet, in its pixels. */
const FRAME = [0, stills.height];
const FLOW = [stills.height, stills.height];
const WAVE = [2 * stills.height, stills.wave];
const preview = (step) => [2 * stills.height + stills.wave + step * stills.height, stills.height];
const PREVIEW_MS = 110;

/** Have an element show one cell: a clip's column in a row of the film's sheet. */
function cut(holder, film, clip = 0, [top, height] = FRAME) {
  const clips = stills.clips[film];
  const share = (part, rest) => (rest ? 100 * part / rest : 0);
  holder.style.backgroundImage = `url("${stills.sheets[film]}")`;
  holder.style.backgroundSize = `${100 * clips}% ${100 * sheetHeight / height}%`;
  holder.style.backgroundPosition = `${share(clip, clips - 1)}% ${share(top, sheetHeight - height)}%`;
  holder.style.aspectRatio = `${stills.width} / ${height}`;
  return holder;
}
const cell = (film, clip, row) => cut(element("i", { className: "cell" }), film, clip, row);

/** Return a film's first still as a small picture beside its title; empty where there is none. */
const thumb = (film) => (hasStills(film) ? [cut(element("i", { className: "cell thumb" }), film)] : []);

/** Return frames of some of a film's clips in a row, at most `most`; empty where there are none. */
function contactSheet(film, most) {
  if (!hasStills(film)) return [];
  const count = Math.min(stills.clips[film], most);
  const frames = Array.from({ length: count }, (_, at) => cell(film, at, FRAME));
  return [element("span", { className: "frames" }, ...frames)];
}

/** Return a film's clips side by side, each with its frame, flow and sound. */
function clipStrip(film) {
  if (!hasStills(film)) return [];
  const what = stills.flow ? "Frame, optical flow and sound" : "Picture";
  const columns = Array.from({ length: stills.clips[film] }, (_, clip) => clipColumn(film, clip, what));
  const strip = element("div", { className: "strip" }, ...columns);
  strip.style.setProperty("--columns", Math.max(columns.length, stills.flow ? 1 : 2));
  return [strip];
}
function clipColumn(film, clip, what) {
  const rows = stills.flow ? [FRAME, FLOW, WAVE] : [FRAME];
  const column = element(stills.previews ? "button" : "div", { className: "clip" }, ...rows.map((row) => cell(film, clip, row)));
  column.setAttribute("role", stills.previews ? "button" : "img");
  const about = stills.flow ? `${what} of clip ${clip + 1} of ${stills.clips[film]}` : what;
  column.setAttribute("aria-label", `${about}: ${films.titles[film]}${stills.previews ? "; plays" : ""}`);
  if (stills.previews) play(column, film, clip);
  return column;
}
/** Have a clip's frame play while the pointer or the focus is on it. */
function play(column, film, clip) {
  const frame = column.firstChild;
  let timer = 0;
  const stop = () => { clearInterval(timer); timer = 0; cut(frame, film, clip); };
  const start = () => {
    if (timer) return;
    let step = 0;
    timer = setInterval(() => {
      if (!frame.isConnected) { clearInterval(timer); return; }
      cut(frame, film, clip, preview(step++ % stills.previews));
    }, PREVIEW_MS);
  };
  column.type = "button";
  Object.assign(column, { onpointerenter: start, onfocus: start, onclick: start, onpointerleave: stop, onblur: stop });
}
