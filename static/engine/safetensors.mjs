// Tensors out of a .safetensors file (https://huggingface.co/docs/safetensors): 8 bytes of header length, a JSON
// header, raw little-endian numbers. No code is ever run from such a file, which is why the project uses it.

/** What a visitor can be told in one sentence: a payload or a call that cannot be right. */
export class EngineError extends Error {
  name = "EngineError";
}

const BYTES = { F16: 2, F32: 4, I32: 4, U8: 1 };
const AGAIN = "Reload the page, or restore the file.";

let halves = null; // every half-precision number as float32, indexed by its 16 bits

function halfTable() {
  if (halves) return halves;
  halves = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size =
      exponent === 31 ? (fraction ? NaN : Infinity)
      : exponent ? 2 ** (exponent - 25) * (1024 + fraction)
      : 2 ** -24 * fraction;
    halves[bits] = bits & 32768 ? -size : size;
  }
  return halves;
}

/**
 * ArrayBuffer or view of a whole file → Map of name → {shape, values}, values a Float32Array in row-major order.
 * Only those of `names`, where it is given, and they may be missing. U8 and I32 tensors come as floats, too.
 * Throws EngineError for a cut-off or foreign file, and for numbers of another type than F16, F32, I32 and U8.
 */
export function readTensors(buffer, names = null) {
  const bytes = ArrayBuffer.isView(buffer)
    ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    : new Uint8Array(buffer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.length >= 8 ? view.getUint32(0, true) + 2 ** 32 * view.getUint32(4, true) : NaN;
  // A header of a gigabyte is a web page or a picture that came in place of the file.
  if (!(size >= 2 && size < 2 ** 30)) {
    throw new EngineError(`Expected a safetensors file, got ${bytes.length} bytes of something else. ${AGAIN}`);
  }
  if (8 + size > bytes.length) {
    throw new EngineError(`The weights are cut off: ${8 + size} bytes were expected for the header alone, ` +
      `${bytes.length} came. ${AGAIN}`);
  }
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.slice(8, 8 + size)));
  } catch {
    throw new EngineError(`Expected a safetensors file, got one whose header is not JSON. ${AGAIN}`);
  }

  const available = bytes.length - 8 - size;
  const tensors = new Map();
  for (const [name, entry] of Object.entries(header ?? {})) {
    if (name === "__metadata__" || (names && !names.includes(name))) continue;
    const width = BYTES[entry?.dtype];
    if (!width) {
      throw new EngineError(`Tensor ${name} has numbers of type ${entry?.dtype}, expected F16, F32, I32 or U8. ${AGAIN}`);
    }
    const { shape, data_offsets: offsets } = entry;
    const count = Array.isArray(shape) ? shape.reduce((a, b) => a * b, 1) : NaN;
    const [begin, end] = Array.isArray(offsets) ? offsets : [];
    if (!(begin >= 0 && end - begin === count * width)) {
      throw new EngineError(`Tensor ${name} says shape ${shape} and bytes ${offsets}, which disagree. ${AGAIN}`);
    }
    if (end > available) {
      throw new EngineError(`The weights are cut off: ${8 + size + end} bytes were expected, ` +
        `${bytes.length} came. ${AGAIN}`);
    }
    tensors.set(name, { shape, values: numbers(bytes, 8 + size + begin, count, entry.dtype) });
  }
  return tensors;
}

/** Float32Array of `count` numbers of a type from byte `start` on. */
function numbers(bytes, start, count, type) {
  const [from, width] = [bytes.byteOffset + start, BYTES[type]];
  if (width === 1) return Float32Array.from(bytes.subarray(start, start + count));
  const Type = type === "F16" ? Uint16Array : type === "I32" ? Int32Array : Float32Array;
  // Typed arrays must be aligned; bytes that a component receives need not be.
  const raw = from % width
    ? new Type(bytes.slice(start, start + count * width).buffer)
    : new Type(bytes.buffer, from, count);
  if (width === 4) return type === "I32" ? Float32Array.from(raw) : raw;
  const table = halfTable();
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = table[raw[i]];
  return out;
}
