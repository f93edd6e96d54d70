// A density over the plane as a picture on a map. Rasters come from Python (ui/views/bound/posterior.py) or posterior.mjs.

const LEVELS = [Math.exp(-0.5), Math.exp(-2)]; // of the highest density: where a Gaussian has its 1 σ and its 2 σ
// Steeper than the density, so that a light mode shows beside a heavy one; the lowest bytes fade out without an edge.
const OPACITY = Uint8Array.from({ length: 256 }, (_, v) => (255 * (v / 255) ** 0.6 * v) / (v + 3));

export class Heat {
  /**
   * bounds: [left, bottom, right, top]; n: cells a side; data: n × n bytes, as base64 or in a Uint8Array, row 0 at the
   * top, 255 the highest.
   * @param {{bounds: number[], n: number, data: string | Uint8Array}} raster
   */
  constructor({ bounds, n, data }) {
    this.bounds = bounds;
    this.n = n;
    const bytes = typeof data === "string" ? atob(data) : null;
    this.values = bytes ? Uint8Array.from({ length: n * n }, (_, i) => bytes.charCodeAt(i)) : /** @type {Uint8Array} */ (data);
    this.lines = null; // contours, once they are asked for
    this.colour = null; // that the picture was painted in
    this.picture = null; // a canvas, n × n
    this.image = null; // its ImageData
  }

  /** Another density, n × n numbers of which 255 / factor is the highest. */
  set(density, factor) {
    for (let i = 0; i < density.length; i++) this.values[i] = factor * density[i] + 0.5;
    this.lines = null;
    if (this.picture) this.#fill();
  }

  get contours() {
    return (this.lines ??= LEVELS.map((level) => contour(this.values, this.n, 255 * level)));
  }

  get side() {
    return this.bounds[2] - this.bounds[0];
  }

  /** @param {number[] | Float32Array} z */
  holds([x, y]) {
    const [left, bottom, right, top] = this.bounds;
    return x >= left && x <= right && y >= bottom && y <= top;
  }

  /** @param {Heat} other */
  touches({ bounds: [left, bottom, right, top] }) {
    return this.bounds[0] < right && this.bounds[2] > left && this.bounds[1] < top && this.bounds[3] > bottom;
  }

  /** Draw on a plane: for `plane.over` or `plane.under`. Nothing is computed again but where the colour has changed. */
  draw(ctx, plane, { colour, lines = true }) {
    if (colour !== this.colour) this.#paint(colour);
    const [left, bottom, right, top] = this.bounds;
    const [x, y] = plane.toScreen([left, top]);
    const width = (right - left) * plane.scale;
    const height = (top - bottom) * plane.scale;
    ctx.save();
    ctx.imageSmoothingEnabled = true;
    ctx.imageSmoothingQuality = "high";
    ctx.globalAlpha = 0.85;
    ctx.drawImage(this.picture, x, y, width, height);
    ctx.restore();
    if (!lines) return;
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.5;
    for (const segments of this.contours) {
      ctx.beginPath();
      for (let k = 0; k < segments.length; k += 4) {
        ctx.moveTo(x + (segments[k] / this.n) * width, y + (segments[k + 1] / this.n) * height);
        ctx.lineTo(x + (segments[k + 2] / this.n) * width, y + (segments[k + 3] / this.n) * height);
      }
      ctx.stroke();
    }
  }

  #paint(colour) {
    this.colour = colour;
    this.picture = document.createElement("canvas");
    this.picture.width = this.picture.height = this.n;
    const ctx = this.picture.getContext("2d", { willReadFrequently: true }); // under a hand it is filled 60 times a second
    ctx.fillStyle = colour;
    ctx.fillRect(0, 0, this.n, this.n);
    this.image = ctx.getImageData(0, 0, this.n, this.n);
    this.#fill();
  }

  #fill() {
    const { data } = this.image;
    for (let i = 0; i < this.values.length; i++) data[4 * i + 3] = OPACITY[this.values[i]];
    this.picture.getContext("2d").putImageData(this.image, 0, 0);
  }
}

/** Where values (n × n, at the middles of cells) cross a level, as segments x, y, x, y in cells from the upper left. */
function contour(values, n, level) {
  const segments = [];
  const cross = (a, b) => (level - a) / (b - a); // share of the way from a to b
  for (let row = 0; row + 1 < n; row++) {
    for (let column = 0; column + 1 < n; column++) {
      const at = row * n + column;
      const above = values[at] >= level;
      if (above === values[at + 1] >= level && above === values[at + n] >= level && above === values[at + n + 1] >= level) continue;
      const corner = [values[at], values[at + 1], values[at + n + 1], values[at + n]]; // round the square
      const x = [column + 0.5, column + 1.5, column + 1.5, column + 0.5];
      const y = [row + 0.5, row + 0.5, row + 1.5, row + 1.5];
      const points = [];
      for (let k = 0; k < 4; k++) {
        const next = (k + 1) % 4;
        if (corner[k] >= level === corner[next] >= level) continue;
        const t = cross(corner[k], corner[next]);
        points.push(x[k] + t * (x[next] - x[k]), y[k] + t * (y[next] - y[k]));
      }
      segments.push(...points); // two crossings, or four at a saddle: either pairing closes the line
    }
  }
  return Float32Array.from(segments);
}
