// The networks in plain node, in seconds: the shipped files against their own cards, and each module by what it is.
// PyTorch is the reference in tests/browser/test_engine.py; here a mistake shows before a browser has started.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";

import { EngineError, Model, PIXELS, erf } from "../../static/engine/engine.mjs";
import { KERNELS } from "../../static/engine/kernel.mjs";
import { Random } from "../../static/engine/random.mjs";
import { codes, model, progress } from "../../static/engine/registry.mjs";
import { readTensors } from "../../static/engine/safetensors.mjs";

const CHECKPOINTS = new URL("../../checkpoints/", import.meta.url);
const read = (slug, name) => readFile(new URL(`${slug}/${name}`, CHECKPOINTS));
const card = async (slug) => JSON.parse(String(await read(slug, "card.json")));
const slugs = (await readdir(CHECKPOINTS)).filter((name) => /^(mnist|digits)-.*-2d$/.test(name));

for (const slug of slugs) {
  test(`${slug}: codes as they are stored come back as drawings, with either kernel`, async () => {
    const [file, told] = [await read(slug, "weights.safetensors"), await card(slug)];
    const stored = readTensors(await read(slug, "codes.safetensors"), ["test_mean", "test_label"]);
    const z = stored.get("test_mean").values.slice(0, 2 * 8);
    const y = [...stored.get("test_label").values.slice(0, 8)];
    const drawn = KERNELS.map((kernel) => {
      const network = Model.fromSafetensors(file, told, { kernel });
      return network.decode(z, network.conditional ? y : null);
    });
    for (const pixels of drawn) {
      assert.equal(pixels.length, 8 * PIXELS);
      assert.ok(pixels.every((v) => v >= 0 && v <= 1) && pixels.some((v) => v > 0.5), "a digit has ink");
    }
    assert.ok(drawn[0].every((v, i) => Math.abs(v - drawn[1][i]) < 1e-5), "the kernels disagree");
  });

  test(`${slug}: a drawing that is encoded again lies near its code`, async () => {
    const network = Model.fromSafetensors(await read(slug, "weights.safetensors"), await card(slug));
    const stored = readTensors(await read(slug, "codes.safetensors"), ["test_mean", "test_label"]);
    const middle = [0, 1].map((d) => {
      const values = Array.from({ length: 50 }, (_, i) => stored.get("test_mean").values[2 * i + d]).sort((a, b) => a - b);
      return values[25];
    });
    const y = network.conditional ? stored.get("test_label").values[0] : null;
    const z = Float32Array.from(middle);
    const code = network.encode(network.observe(network.decode(z, y)), y);
    assert.ok(code.mean.every(Number.isFinite));
    assert.equal(code.logvar === null, !network.probabilistic);
  });
}

test("a file that was cut off, and one that is something else, are one sentence", async () => {
  const file = await read("mnist-vae-2d", "weights.safetensors");
  const told = await card("mnist-vae-2d");
  for (const broken of [file.subarray(0, 40_000), file.subarray(0, 4), Buffer.from("<!doctype html>".repeat(9))]) {
    assert.throws(() => Model.fromSafetensors(broken, told), (error) => error instanceof EngineError && /^[A-Z].*\.$/.test(error.message));
  }
});

test("only the tensors that are asked for are read, whole numbers too", async () => {
  const tensors = readTensors(await read("mnist-vae-2d", "codes.safetensors"), ["test_label", "nobody"]);
  assert.deepEqual([...tensors.keys()], ["test_label"]);
  const labels = tensors.get("test_label").values;
  assert.equal(labels.length, 10_000);
  assert.ok(labels.every((y) => Number.isInteger(y) && y >= 0 && y <= 9));
});

test("the error function is that of the tables", () => {
  for (const [x, value] of [[0, 0], [0.5, 0.5204998778], [1, 0.8427007929], [-2, -0.995322265], [9, 1]]) {
    assert.ok(Math.abs(erf(x) - value) < 3e-7, `erf(${x})`);
  }
});

test("the normal numbers have mean 0 and variance 1, and a seed repeats them", () => {
  const draw = (seed) => new Random(seed).normals(new Float64Array(20_000));
  const z = draw(7);
  const mean = z.reduce((a, b) => a + b) / z.length;
  const variance = z.reduce((a, b) => a + (b - mean) ** 2, 0) / z.length;
  assert.ok(Math.abs(mean) < 4 / Math.sqrt(z.length) && Math.abs(variance - 1) < 4 * Math.sqrt(2 / z.length));
  assert.deepEqual(draw(7), z);
  assert.notDeepEqual(draw(8), z);
});

test("the registry asks for one file after the other, once each, and again for one that failed", async () => {
  const asked = [];
  let [open, most, broken] = [0, 0, true];
  const server = createServer(async (request, answer) => {
    asked.push(request.url);
    most = Math.max(most, ++open);
    const [, slug, name] = request.url.split("/");
    const file = broken ? Buffer.from("no tensors") : await read(slug, name);
    open--;
    answer.end(file);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const at = (name) => `http://127.0.0.1:${port}/${name}`;
  const network = async (slug) => ({
    slug, card: await card(slug), weights: at(`${slug}/weights.safetensors`), codes: at(`${slug}/codes.safetensors`),
    bytes: { weights: (await read(slug, "weights.safetensors")).length, codes: 1 }, classes: [], colours: [],
  });
  try {
    const [ae, vae] = [await network("digits-ae-2d"), await network("digits-vae-2d")];
    await assert.rejects(model(ae), EngineError);
    broken = false;
    const [one, two, three, stored] = await Promise.all([model(ae), model(vae), model(ae), codes(vae)]);
    assert.equal(one, three);
    assert.equal(two.probabilistic, true);
    assert.equal(stored.mean.length, 2 * stored.label.length);
    assert.equal(asked.length, 4); // the broken one, and three files
    assert.equal(most, 1);
    const all = ((ae.bytes.weights + vae.bytes.weights) / 1e6).toFixed(1);
    const listed = { ...ae, weights: at("of a list, and never asked for") };
    assert.equal(progress([listed]), "");
    assert.equal(progress([ae, vae, listed]), `${all} of ${all} MB`);
    const gone = at("gone");
    server.close();
    server.closeAllConnections();
    await assert.rejects(model({ ...ae, weights: gone }), /could not be reached/);
  } finally {
    server.close();
  }
});
