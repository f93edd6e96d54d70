// The one inner loop of every network, y = b + Σ x_i W_i over the inputs that are not zero, in the fastest form that
// the browser has. WebAssembly SIMD is emitted here as bytes (no build step, nothing binary in the repository); where it
// is missing, the same loop runs as plain JavaScript on the same memory.
//
// Weights lie packed: blocks of 32 outputs, in a block one line of 32 numbers an input. One block's 32 sums fit the
// registers, so that the weights stream through once and nothing else touches memory. A list says which inputs are
// not zero (most pixels of a digit are) and where their lines begin.

export const LANES = 32; // outputs a block: eight registers of four
export const LINE = 4 * LANES; // bytes of one input's weights in a block

/**
 * Memory of `bytes` bytes and the loop on it; want is "auto" or one of KERNELS.
 *
 * affine(values, offsets, counts, weights, bias, out, blocks, blockBytes, rows, listStride, outStride), all in bytes
 * except blocks and rows: row r has counts[r] inputs, its values (f32) and their byte offsets in a block (i32) begin
 * at r · listStride, and its sums go to out + r · outStride.
 *
 * @typedef {(values: number, offsets: number, counts: number, weights: number, bias: number, out: number, blocks: number,
 *   blockBytes: number, rows: number, listStride: number, outStride: number) => void} Affine
 * @returns {{name: string, buffer: ArrayBuffer, affine: Affine}}
 */
export function allocate(bytes, want = "auto") {
  for (const name of want === "auto" ? KERNELS : [want]) {
    const made = name === "scalar" ? scalar(bytes) : simd(bytes);
    if (made) return { name, ...made };
  }
  throw new RangeError(`This browser has no kernel ${want}; there are ${KERNELS.join(", ")}.`);
}

export const KERNELS = ["simd", "scalar"]; // fastest first

// Plain JavaScript ---------------------------------------------------------------------------------------------------

function scalar(bytes) {
  const buffer = new ArrayBuffer(bytes);
  const f = new Float32Array(buffer);
  const n = new Int32Array(buffer);
  const affine = (values, offsets, counts, weights, bias, out, blocks, blockBytes, rows, listStride, outStride) => {
    // Eight sums at a time: more than eight do not fit the registers.
    for (let part = 0; part < 4 * blocks; part++) {
      const lane = 8 * (part & 3);
      const block = (weights + (part >> 2) * blockBytes) / 4 + lane;
      const from = bias / 4 + 8 * part;
      for (let r = 0; r < rows; r++) {
        let p = (values + r * listStride) / 4;
        let q = (offsets + r * listStride) / 4;
        const end = p + n[counts / 4 + r];
        let a = f[from], b = f[from + 1], c = f[from + 2], d = f[from + 3];
        let e = f[from + 4], g = f[from + 5], h = f[from + 6], k = f[from + 7];
        for (; p < end; p++, q++) {
          const x = f[p];
          const w = block + (n[q] >> 2);
          a += x * f[w]; b += x * f[w + 1]; c += x * f[w + 2]; d += x * f[w + 3];
          e += x * f[w + 4]; g += x * f[w + 5]; h += x * f[w + 6]; k += x * f[w + 7];
        }
        const to = (out + r * outStride) / 4 + 8 * part;
        f[to] = a; f[to + 1] = b; f[to + 2] = c; f[to + 3] = d;
        f[to + 4] = e; f[to + 5] = g; f[to + 6] = h; f[to + 7] = k;
      }
    }
  };
  return { buffer, affine };
}

// WebAssembly --------------------------------------------------------------------------------------------------------

let module; // compiled once for all models; null where the browser refuses

function simd(bytes) {
  if (module === undefined) {
    try {
      module = new WebAssembly.Module(emit());
    } catch {
      module = null; // an old browser, or a page that forbids WebAssembly
    }
  }
  if (!module) return null;
  const pages = Math.ceil(bytes / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages }); // never grows: views on it stay valid
  const { affine } = new WebAssembly.Instance(module, { own: { memory } }).exports;
  return { buffer: memory.buffer, affine: /** @type {Affine} */ (affine) };
}

/** The bytes of a module with one function, `affine`; opcodes by the WebAssembly core specification, section 5. */
function emit() {
  const leb = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >>> 7)]);
  const vector = (items) => [...leb(items.length), ...items.flat()];
  const section = (id, body) => [id, ...leb(body.length), ...body];
  const text = (s) => vector([...s].map((c) => [c.charCodeAt(0)]));
  const I32 = 0x7f, V128 = 0x7b, END = 0x0b;

  const names = ["values", "offsets", "counts", "weights", "bias", "out", "blocks", "blockBytes", "rows",
    "listStride", "outStride"];
  const locals = ["row", "x", "line", "end", "from", "to", "at"]; // i32, after the parameters
  const sums = Array.from({ length: LANES / 4 }, (_, i) => `sum${i}`);
  const all = [...names, ...locals, ...sums, "splat"];
  const get = (name) => [0x20, ...leb(all.indexOf(name))];
  const set = (name, ...value) => [...value.flat(), 0x21, ...leb(all.indexOf(name))];
  const number = (n) => [0x41, ...(n < 64 ? [n] : [(n & 127) | 128, n >> 7])]; // signed LEB128, n < 8192
  const add = (a, b) => [...a, ...b, 0x6a];
  const times = (a, b) => [...a, ...b, 0x6c];
  const load = (address) => [...address, 0x28, 2, 0];
  const advance = (name, by) => set(name, add(get(name), by));
  const wide = (opcode, address, offset = 0) => [...address, 0xfd, opcode, 2, ...leb(offset)];
  const LOAD = 0x00, LOAD_SPLAT = 0x09;
  const store = (address, value, offset) => [...address, ...value, 0xfd, 0x0b, 2, ...leb(offset)];
  const multiplyAdd = (a, b, c) => [...c, ...a, ...b, 0xfd, 0xe6, 0x01, 0xfd, 0xe4, 0x01]; // f32x4.mul, f32x4.add
  // while (a < b) body
  const loop = (a, b, ...body) =>
    [0x02, 0x40, 0x03, 0x40, ...a, ...b, 0x4f, 0x0d, 1, ...body.flat(), 0x0c, 0, END, END];

  const code = [
    ...set("blocks", add(get("bias"), times(get("blocks"), number(LINE)))), // from here on: where the biases end
    ...loop(get("bias"), get("blocks"),
      set("row", number(0)),
      set("from", get("values")),
      set("to", get("out")),
      loop(get("row"), get("rows"),
        set("x", get("from")),
        set("line", add(get("offsets"), times(get("row"), get("listStride")))),
        set("end", add(get("x"), times(load(add(get("counts"), times(get("row"), number(4)))), number(4)))),
        ...sums.map((sum, i) => set(sum, wide(LOAD, get("bias"), 16 * i))),
        loop(get("x"), get("end"),
          set("splat", wide(LOAD_SPLAT, get("x"))),
          set("at", add(get("weights"), load(get("line")))),
          ...sums.map((sum, i) => set(sum, multiplyAdd(get("splat"), wide(LOAD, get("at"), 16 * i), get(sum)))),
          advance("x", number(4)),
          advance("line", number(4)),
        ),
        ...sums.map((sum, i) => store(get("to"), get(sum), 16 * i)),
        advance("row", number(1)),
        advance("from", get("listStride")),
        advance("to", get("outStride")),
      ),
      advance("weights", get("blockBytes")),
      advance("bias", number(LINE)),
      advance("out", number(LINE)),
    ),
    END,
  ];
  const body = [...vector([[locals.length, I32], [sums.length + 1, V128]]), ...code];
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, vector([[0x60, ...vector(names.map(() => [I32])), 0]])), // the function's type
    ...section(2, vector([[...text("own"), ...text("memory"), 0x02, 0x00, 0]])), // memory of any size
    ...section(3, vector([[0]])),
    ...section(7, vector([[...text("affine"), 0x00, 0]])),
    ...section(10, vector([[...leb(body.length), ...body]])),
  ]);
}
