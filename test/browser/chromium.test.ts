// hebb in Chromium, on isolated pages and plain ones: the same bits as in Node, data, and one line for what a browser cannot.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeIdx } from "../../src/data/index.ts";
import { serializeNpy, serializeSafetensors } from "../../src/io/index.ts";
import { hasData, realData } from "../data/real-data.ts";
import { lenetHash } from "../lenet-steps.ts";
import { callIn, hasChromium, type Kind, launch, type Site, serveFiles } from "./chromium.ts";
import { bundlePages, installPackage, removePackage } from "./package.ts";

const raw = { dtype: "f32", shape: [2], data: Float32Array.of(1.5, -2) } as const;
const images = encodeIdx({ shape: [4, 28, 28], data: Uint8Array.from({ length: 4 * 784 }, (_, i) => i % 251) });
const labels = encodeIdx({ shape: [4], data: Uint8Array.of(3, 1, 4, 1) });
const files = new Map<string, Uint8Array>([
  ["t10k-images-idx3-ubyte.gz", gzipSync(images)],
  ["t10k-labels-idx1-ubyte.gz", gzipSync(labels)],
  ["t10k-labels-idx1-ubyte", labels],
  ["a.npy", serializeNpy(raw)],
  ["a.safetensors", serializeSafetensors({ a: raw })],
  ["one.bin", new Uint8Array(3073).fill(7)],
]);
const fourImages = { x: [4 * 784, 0, (4 * 784 - 1) % 251], y: [3, 1, 4, 1] };

describe.skipIf(!hasChromium())("in Chromium", () => {
  let browser: Browser;
  let site: Site;
  let folder: string;
  let bundles: Map<string, Uint8Array>;
  const open = async (kind: Kind): Promise<Page> => {
    const page = await browser.newPage();
    await page.goto(`${site.origin}/${kind}/`);
    expect(await page.evaluate("crossOriginIsolated")).toBe(kind === "isolated");
    return page;
  };

  beforeAll(async () => {
    folder = installPackage();
    const pages = ["compute", "primitives", "data"].map((name) => `test/browser/pages/${name}.ts`);
    bundles = await bundlePages(folder, pages);
    site = await serveFiles(new Map([...files, ...bundles]));
    browser = await launch();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
    removePackage(folder);
  });

  for (const kind of ["isolated", "plain"] as const) {
    for (const threads of kind === "isolated" ? [1, 2] : [2])
      test(`LeNet-5 has the bits it has in Node, ${kind} page, ${threads} thread(s)`, async () => {
        expect(await callIn(await open(kind), "compute", "lenet", threads)).toBe(lenetHash);
      });

    test(`the README's ten lines learn, ${kind} page`, async () => {
      const { device, losses } = await callIn<{ device: string; losses: number[] }>(
        await open(kind),
        "compute",
        "quickStart",
      );
      expect([device, losses.length]).toEqual(["wasm", 50]);
      expect(losses[49]).toBeLessThan(losses[0] / 2);
    });

    test(`primitives agree with double precision, ${kind} page`, async () => {
      const every = kind === "isolated" ? 12 : 60;
      const { checks, wrong } = await callIn<{ checks: number; wrong: string[] }>(
        await open(kind),
        "primitives",
        "checkPrimitives",
        every,
      );
      console.log(`primitives in Chromium, ${kind} page: ${checks} checks`);
      expect(wrong).toEqual([]);
      expect(checks).toBeGreaterThan(100);
    });
  }

  test("what needs Node says so in one line", async () => {
    const said = await callIn<Record<string, string>>(await open("plain"), "compute", "refusals");
    for (const message of Object.values(said)) expect(message).not.toContain("\n");
    expect(said.native).toBe('device: "native" needs a C compiler, which no browser has; choose "wasm"');
    expect(said.devices).toMatch(/^native: device: "native" needs .*; wasm: works; js: works$/);
    expect(said.fit).toContain("need Node");
    expect(said.write).toBe(
      "cannot write a.npy: a browser has no paths; take serializeNpy() and offer its bytes as a download",
    );
    expect(said.absent).toContain("absent.npy cannot be fetched (HTTP 404)");
    expect(said.download).toContain("a browser has no paths");
    expect(said.picture).toContain("is no picture that this browser decodes");
    expect(said.npy).toBe("[1]");
  });

  test("a data set is fetched once, then comes from the cache; one that is not the published is refused", async () => {
    const page = await open("plain");
    expect(await callIn(page, "data", "fetched", "mnist", { verify: false })).toEqual(fourImages);
    const asked = site.asked.length;
    expect(await callIn(page, "data", "fetched", "mnist", { verify: false })).toEqual(fourImages);
    expect(site.asked.slice(asked)).toEqual([]);
    const refused = await callIn<string>(page, "data", "fetched", "mnist/", {});
    expect(refused).toMatch(
      /^cannot download t10k-images-idx3-ubyte.gz \(mnist\/t10k-.*: ended after \d+ of 1648877 bytes/,
    );
    expect(refused).toContain("name the address of a folder that has it (url)");
    expect(await callIn(page, "data", "fetched", "mnist", { dir: "data" })).toContain("a browser has no folder data");
  });

  test.skipIf(!hasData("mnist/t10k-images-idx3-ubyte.gz"))("the published MNIST passes its checksums", async () => {
    const page = await (await browser.newContext()).newPage(); // with a cache of its own
    const names = ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"];
    const real = await serveFiles(
      new Map([
        ...names.map((name) => [name, readFileSync(join(realData, "mnist", name))] as const),
        ["data.js", bundles.get("data.js")!],
      ]),
    );
    await page.goto(`${real.origin}/isolated/`);
    for (const url of ["mnist", "nowhere/else/"])
      expect(await callIn(page, "data", "fetched", url, {})).toEqual({ x: [7_840_000, 0, 0], y: [7, 2, 1, 0] });
    expect(real.asked.filter((path) => path.includes("nowhere"))).toEqual([]);
    await real.close();
  });

  test("files chosen in an <input>, and pictures", async () => {
    const page = await open("isolated");
    await page.setContent('<input type="file" multiple>');
    const given = [...files].map(([name, bytes]) => ({
      name,
      mimeType: "application/octet-stream",
      buffer: Buffer.from(bytes),
    }));
    await page.setInputFiles("input", given);
    expect(await callIn(page, "data", "chosen")).toEqual(fourImages);
    expect(await callIn(page, "data", "read")).toEqual({
      idx: [4],
      npy: [1.5, -2],
      safetensors: [["a", 1.5, -2]],
      cifar: [7],
      fetched: [1.5, -2],
    });
    const { colours, grey } = await callIn<{ colours: number[]; grey: number[] }>(page, "data", "picture");
    expect(colours).toEqual([255, 0, 0, 0, 0, 255]);
    expect(grey).toEqual(Array.from({ length: 32 }, (_, i) => (i % 8 < 4 ? 76 : 29)));
  });
});
