/* Names of clusters, written on the map at the middle of each cluster's films. */

/** Pixels by which a name stands above the middle of its films. */
const ABOVE = 14;

/** Return the middle of numbers. */
function median(numbers) {
  const sorted = Float32Array.from(numbers).sort();
  return sorted[sorted.length >> 1];
}

/** Return where the films of each cluster of a space lie, in the middle, in 0..1000. */
function clusterPlaces({ clusters, names, xy }) {
  return names.map((_, cluster) => {
    const members = clusters.flatMap((own, film) => (own === cluster ? [film] : []));
    return [0, 1].map((axis) => median(members.map((film) => xy[2 * film + axis])));
  });
}

/** Write the names of a map's clusters, the larger first, none over another. */
function writeClusters(map, pen, paper, ink) {
  map.clusterPlaces = map.clusterPlaces || clusterPlaces(map.space);
  const taken = [];
  Object.assign(pen, { font: "600 12px system-ui, sans-serif", textAlign: "center", textBaseline: "middle", lineJoin: "round" });
  map.space.names.forEach((name, cluster) => {
    const [x, y] = map.clusterPlaces[cluster];
    const text = `${cluster + 1} ${name}`;
    const half = pen.measureText(text).width / 2 + 4;
    const at = [Math.max(half, Math.min(map.width - half, map.toX(x))), map.toY(y) - ABOVE];
    if (taken.some(([ox, oy, other]) => Math.abs(ox - at[0]) < half + other && Math.abs(oy - at[1]) < 16)) return;
    taken.push([...at, half]);
    Object.assign(pen, { strokeStyle: paper, lineWidth: 4, fillStyle: ink });
    pen.strokeText(text, ...at);
    pen.fillText(text, ...at);
  });
}
