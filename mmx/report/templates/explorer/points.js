/* Points painted straight into the pixels of a canvas: fifty thousand take a few milliseconds. */

/** Positions of a point's centre within a pixel that are told apart, across and down. */
const STEPS = 4;

/** Return red, green and blue, 0..255, of a colour as the style sheet or a script writes it. */
const rgb = (() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map();
  return (colour) => {
    if (!known.has(colour)) {
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
      known.set(colour, pen.getImageData(0, 0, 1, 1).data.slice(0, 3));
    }
    return known.get(colour);
  };
})();

/** Return the pixels of a disc whose centre lies at (x, y) of its pixel: dx, dy, share covered. */
function disc(radius, x, y) {
  const pixels = [], reach = Math.ceil(radius) + 1;
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const share = Math.min(1, radius + 0.5 - Math.hypot(dx + 0.5 - x, dy + 0.5 - y));
      if (share > 0) pixels.push(dx, dy, share);
    }
  }
  return Float32Array.from(pixels);
}

class PointPainter {
  constructor(canvas) {
    this.pen = canvas.getContext("2d", { willReadFrequently: true });
    this.canvas = canvas;
  }
  /** Begin with an empty picture and points of this radius, in pixels of the canvas. */
  begin(radius) {
    const { width, height } = this.canvas;
    this.image = this.pen.createImageData(width, height);
    this.discs = Array.from({ length: STEPS * STEPS }, (_, at) =>
      disc(radius, ((at % STEPS) + 0.5) / STEPS, (Math.floor(at / STEPS) + 0.5) / STEPS));
  }
  /** Add a point: its place in pixels of the canvas, red, green and blue, opacity 0..1. */
  add(x, y, red, green, blue, opacity) {
    const { width, height, data } = this.image;
    const left = Math.floor(x), top = Math.floor(y);
    const mask = this.discs[Math.floor((x - left) * STEPS) + STEPS * Math.floor((y - top) * STEPS)];
    for (let i = 0; i < mask.length; i += 3) {
      const px = left + mask[i], py = top + mask[i + 1];
      if (px < 0 || py < 0 || px >= width || py >= height) continue;
      const at = 4 * (py * width + px), above = mask[i + 2] * opacity;
      const below = data[at + 3] * (1 - above) / 255;
      if (below < 0.02) {
        data[at] = red; data[at + 1] = green; data[at + 2] = blue; data[at + 3] = 255 * above;
        continue;
      }
      const share = above / (above + below);
      data[at] += (red - data[at]) * share;
      data[at + 1] += (green - data[at + 1]) * share;
      data[at + 2] += (blue - data[at + 2]) * share;
      data[at + 3] = 255 * (above + below);
    }
  }
  end() { this.pen.putImageData(this.image, 0, 0); }
}
