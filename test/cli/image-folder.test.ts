// A folder of pictures by the command line: trained on, measured, asked about.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, encode } from "fast-png";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hebb, lastJson } from "./run-cli.ts";

let folder: string;

/** A picture of one colour with noise. */
function picture(colour: readonly number[], seed: number): Uint8Array {
  const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => colour[i % 3] + ((i * 7919 + seed * 104_729) % 61));
  return encode({ width: 32, height: 32, data, channels: 3, depth: 8 });
}

/** Twice as wide as high: red in the middle, green at both sides. */
function wide(): Uint8Array {
  const [red, green] = [picture([150, 20, 20], 50), picture([20, 150, 20], 51)].map((file) => decode(file).data);
  const data = new Uint8Array(64 * 32 * 3);
  for (let y = 0; y < 32; y++)
    for (let x = 0; x < 64; x++)
      for (let c = 0; c < 3; c++)
        data[(y * 64 + x) * 3 + c] = (x >= 16 && x < 48 ? red : green)[(y * 32 + (x % 32)) * 3 + c];
  return encode({ width: 64, height: 32, data, channels: 3, depth: 8 });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hebb-pictures-"));
  for (const [name, colour] of Object.entries({ green: [20, 150, 20], red: [150, 20, 20] })) {
    mkdirSync(join(folder, "pictures", name), { recursive: true });
    for (let i = 0; i < 20; i++) writeFileSync(join(folder, "pictures", name, `${i}.png`), picture(colour, i));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a network for CIFAR-10 learns the classes of a folder, and tells them", { timeout: 60_000 }, async () => {
  const run = join(folder, "run");
  const flags = "--batch 12 --epochs 5 --optimizer adam --lr 0.003 --schedule decay --device wasm --json".split(" ");
  const trained = await hebb(["train", "resnet20", "--data", join(folder, "pictures"), ...flags, "--out", run]);
  expect(trained.status, trained.stderr).toBe(0);
  expect(trained.stderr).toContain("36 training and 4 test samples");
  const measured = await hebb(["eval", run, "--json"]);
  expect(lastJson(measured).accuracy).toBe(lastJson(trained).accuracy);
  const asked = await hebb(["predict", run, join(folder, "pictures", "red", "3.png"), "--json"]);
  expect(Object.keys(lastJson(asked).predictions[0].probabilities).sort()).toEqual(["green", "red"]);
  expect(lastJson(asked).predictions[0].class).toBe("red");
  writeFileSync(join(folder, "wide.png"), wide());
  const middle = await hebb(["predict", run, join(folder, "wide.png"), "--json"]);
  expect(lastJson(middle).predictions[0].class).toBe("red"); // what training would have seen of it
  renameSync(join(folder, "pictures", "red"), join(folder, "pictures", "crimson"));
  const other = await hebb(["eval", run]);
  expect(other.status).toBe(2);
  expect(other.stderr).toContain(
    `was trained on the classes green, red, and ${join(folder, "pictures")} now has crimson, green;`,
  );
});
