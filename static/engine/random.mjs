// Random numbers that a seed repeats: the same seed gives the same picture, whatever the browser.

/** Uniform and normal numbers from a 32-bit seed (sfc32 of Chris Doty-Humphrey's PractRand, 128 bits of state). */
export class Random {
  constructor(seed) {
    this.a = 0x9e3779b9;
    this.b = 0x243f6a88;
    this.c = seed | 0;
    this.counter = 1;
    for (let i = 0; i < 15; i++) this.bits(); // until close seeds have nothing in common
  }

  /** 32 random bits as a signed integer. */
  bits() {
    const t = (this.a + this.b + this.counter++) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + t) | 0;
    return t;
  }

  /** Uniform in [0, 1). */
  uniform() {
    return (this.bits() >>> 0) / 4294967296;
  }

  /** N(0, 1) by Box and Muller; always two uniforms a number, so that streams stay in step. */
  normal() {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** An array filled with N(0, 1). */
  normals(out) {
    for (let i = 0; i < out.length; i++) out[i] = this.normal();
    return out;
  }
}
