/* Density: a map as a grid of cells, each the more opaque the more films it holds, in their mean colour. */

const CELL = 6;
/** Opacity of a cell with one film, and what a full one adds. */
const FAINT = 0.22, FULL = 0.78;

/** Return what the cells of a width x height map hold: films, and the sums of their colours. */
function gathered(map, shown, colours) {
  const across = Math.ceil(map.width / CELL), down = Math.ceil(map.height / CELL);
  const films = new Float32Array(across * down), sums = new Float32Array(3 * across * down);
  for (let film = 0; film < count; film++) {
    if (!shown[film]) continue;
    const x = Math.floor(map.across(film) / CELL), y = Math.floor(map.down(film) / CELL);
    if (x < 0 || y < 0 || x >= across || y >= down) continue;
    const at = y * across + x;
    films[at]++;
    for (let part = 0; part < 3; part++) sums[3 * at + part] += colours[3 * film + part];
  }
  return { across, films, sums };
}

/** Draw a map's films as density on its canvas. */
function drawDensity(map, { shown, colours }) {
  const { across, films, sums } = gathered(map, shown, colours);
  const most = Math.log1p(films.reduce((a, b) => Math.max(a, b), 1));
  const ratio = map.base.width / map.width;
  const pen = map.base.getContext("2d");
  pen.clearRect(0, 0, map.base.width, map.base.height);
  films.forEach((inside, at) => {
    if (!inside) return;
    const [red, green, blue] = [0, 1, 2].map((part) => Math.round(sums[3 * at + part] / inside));
    pen.fillStyle = `rgb(${red} ${green} ${blue} / ${FAINT + FULL * Math.log1p(inside) / most})`;
    const x = (at % across) * CELL, y = Math.floor(at / across) * CELL;
    pen.fillRect(x * ratio, y * ratio, CELL * ratio, CELL * ratio);
  });
}
