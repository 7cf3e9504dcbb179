// The public data sets: the real files where the tests have them, and every way a folder can be wrong.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import {
  cifar10,
  type Dataset,
  decodeCifar,
  encodeIdx,
  FormatError,
  fashionMnist,
  mnist,
  type Split,
} from "../../src/data/index.ts";
import { hasData, realData } from "./real-data.ts";

const root = mkdtempSync(join(tmpdir(), "hebb-data-"));
afterAll(() => rmSync(root, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());
let folders = 0;
const folder = (...path: string[]): string => {
  const made = join(root, String(folders++), ...path);
  mkdirSync(made, { recursive: true });
  return made;
};
const failure = async (data: Dataset): Promise<Error> => {
  const error = await data.load().catch((caught) => caught);
  expect(error).toBeInstanceOf(Error);
  expect(error.message).not.toContain("\n");
  return error;
};

/** A folder with a small MNIST of two images. */
function smallSet(
  images: Uint8Array = new Uint8Array(2 * 784).fill(9),
  labels: Uint8Array = Uint8Array.of(3, 4),
): string {
  const dir = folder();
  writeFileSync(join(dir, "t10k-images-idx3-ubyte"), encodeIdx({ shape: [images.length / 784, 28, 28], data: images }));
  writeFileSync(join(dir, "t10k-labels-idx1-ubyte.gz"), gzipSync(encodeIdx({ shape: [labels.length], data: labels })));
  return dir;
}

async function statistics(data: Dataset): Promise<{ mean: number; std: number; counts: number[] }> {
  const { x, y } = await data.samples();
  const histogram = new Array<number>(256).fill(0);
  for (let i = 0; i < x.length; i++) histogram[x[i]]++;
  const moment = (power: number): number =>
    histogram.reduce((sum, times, value) => sum + times * (value / 255) ** power, 0) / x.length;
  const counts = new Array<number>(10).fill(0);
  for (const label of y) counts[label]++;
  return { mean: moment(1), std: Math.sqrt(moment(2) - moment(1) ** 2), counts };
}

describe.skipIf(!hasData("mnist/train-images-idx3-ubyte.gz"))("MNIST", () => {
  test("is the published set", async () => {
    const train = mnist("train", { dir: realData });
    expect([train.length, train.info.shape]).toEqual([60_000, [1, 28, 28]]);
    const { mean, std, counts } = await statistics(train);
    expect([mean.toFixed(4), std.toFixed(4)]).toEqual(["0.1307", "0.3081"]);
    expect(counts).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    expect([...(await train.samples()).y.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
  });

  test("is found through HEBB_DATA, and iterates as normalised tensors", async () => {
    vi.stubEnv("HEBB_DATA", realData);
    for await (const { x, y } of mnist("test").normalize().take(4).batch(4)) {
      expect([x.shape, y.shape]).toEqual([[4, 1, 28, 28], [4]]);
      expect([...(await y.data())]).toEqual([7, 2, 1, 0]);
      expect((await x.data())[0]).toBeCloseTo(-0.1307 / 0.3081, 5);
    }
  });

  test("is read from DIR/*.gz and from inflated files too", async () => {
    const [flat, plain] = [folder(), folder()];
    for (const name of ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]) {
      copyFileSync(join(realData, "mnist", name), join(flat, name));
      mkdirSync(join(plain, "mnist"), { recursive: true });
      writeFileSync(join(plain, "mnist", name.slice(0, -3)), gunzipSync(readFileSync(join(flat, name))));
    }
    for (const dir of [flat, plain]) expect((await statistics(mnist("test", { dir }))).counts[1]).toBe(1135);
  });

  test("one changed byte is noticed", async () => {
    const dir = folder();
    const [images, labels] = ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"];
    copyFileSync(join(realData, "mnist", images), join(dir, images));
    const bytes = readFileSync(join(realData, "mnist", labels));
    bytes[4] ^= 1; // the time in the gzip header: the content stays whole
    writeFileSync(join(dir, labels), bytes);
    const error = await failure(mnist("test", { dir }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(
      /labels-idx1-ubyte\.gz: SHA-256 differs \(expected f7ae60f9…, found [0-9a-f]{8}…\).*; --download replaces it .*labels-idx1-ubyte\.gz\.damaged; .*verify: false/,
    );
    expect((await mnist("test", { dir, verify: false }).load()).length).toBe(10_000);
  });
});

describe.skipIf(!hasData("fashion-mnist/t10k-images-idx3-ubyte.gz"))("Fashion-MNIST", () => {
  test("is the published set", async () => {
    const data = fashionMnist("test", { dir: realData });
    const { mean, counts } = await statistics(data);
    expect(mean.toFixed(4)).toBe("0.2868");
    expect(counts).toEqual(Array(10).fill(1000));
    expect(data.info.classes?.[(await data.samples()).y[0]]).toBe("Ankle boot");
  });
});

describe.skipIf(!hasData("cifar10/cifar-10-batches-bin/test_batch.bin"))("CIFAR-10", () => {
  test("is the published set", async () => {
    const data = cifar10("test", { dir: realData });
    expect([data.length, data.info.shape]).toEqual([10_000, [3, 32, 32]]);
    const { counts } = await statistics(data);
    expect(counts).toEqual(Array(10).fill(1000));
    expect([...(await data.samples()).y.subarray(0, 4)].map((label) => data.info.classes?.[label])).toEqual([
      "cat",
      "ship",
      "ship",
      "airplane",
    ]);
  });

  test("trains on the files that are there, and says so", async () => {
    const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const train = await cifar10("train", { dir: realData }).load();
    const words = said.mock.calls.join("");
    said.mockRestore();
    expect(words === "" ? 50_000 : 10_000).toBe(train.length);
    expect(words).toMatch(/^(cifar10: data_batch_2\.bin.* missing in .*, training on 1 of 5 files\n)?$/);
    expect((await cifar10("train", { dir: realData, batches: [1] }).load()).length).toBe(10_000);
  });
});

describe("a folder that is wrong", () => {
  test("missing files are named with the places looked at, and nothing is fetched", async () => {
    const fetched = vi.spyOn(globalThis, "fetch");
    const dir = folder();
    vi.stubEnv("HEBB_DATA", "");
    expect((await failure(mnist("train", { dir }))).message).toContain(
      `train-images-idx3-ubyte.gz is not in ${dir}/mnist or ${dir}; put it there, fetch it there with --download (in code, download: true), or name the folder that has it with --data-dir or HEBB_DATA (in code, dir)`,
    );
    vi.stubEnv("HEBB_DATA", dir);
    expect((await failure(fashionMnist("test"))).message).toContain(
      `is not in ${dir}/fashion-mnist or ${dir} (from HEBB_DATA); `,
    );
    expect((await failure(cifar10("train"))).message).toContain("data_batch_1.bin is not in");
    expect((await failure(cifar10("train", { batches: [3] }))).message).toContain("data_batch_3.bin is not in");
    expect(fetched).not.toHaveBeenCalled();
    fetched.mockRestore();
  });

  test("files of the right form are taken with verify: false only", async () => {
    const dir = smallSet();
    expect((await failure(mnist("test", { dir }))).message).toContain("SHA-256 differs");
    const data = await mnist("test", { dir, verify: false }).load();
    expect([data.length, [...(await data.samples()).y]]).toEqual([2, [3, 4]]);
  });

  const wrong: [name: string, dir: () => string, says: RegExp][] = [
    [
      "images and labels differ in number",
      () => smallSet(undefined, Uint8Array.of(1)),
      /labels.* has 1 labels for 2 images/,
    ],
    [
      "a label is no digit",
      () => smallSet(undefined, Uint8Array.of(1, 10)),
      /labels.*at byte 9: expected labels 0 to 9, found 10/,
    ],
    [
      "images of another size",
      () => {
        const dir = smallSet();
        writeFileSync(join(dir, "t10k-images-idx3-ubyte"), encodeIdx({ shape: [2, 3, 3], data: new Uint8Array(18) }));
        return dir;
      },
      /expected bytes of shape \[N, 28, 28\], found \[2,3,3\]/,
    ],
    [
      "a web page in place of the file",
      () => {
        const dir = smallSet();
        writeFileSync(join(dir, "t10k-images-idx3-ubyte"), "<html>Not found</html>");
        return dir;
      },
      /t10k-images-idx3-ubyte at byte 0: expected the IDX magic/,
    ],
    [
      "a folder in place of the file",
      () => {
        const dir = folder();
        mkdirSync(join(dir, "t10k-images-idx3-ubyte"));
        return dir;
      },
      /cannot be read/,
    ],
  ];
  for (const [name, dir, says] of wrong)
    test(name, async () => {
      const error = await failure(mnist("test", { dir: dir(), verify: false }));
      expect(error).toBeInstanceOf(FormatError);
      expect(error.message).toMatch(says);
    });

  test("CIFAR records are checked", () => {
    const record = new Uint8Array(3073);
    record.set([7, 1, 2]);
    const { x, y } = decodeCifar(Uint8Array.from([...record, ...record.fill(5, 0, 1)]));
    expect([x.length, x[0], x[1], ...y]).toEqual([6144, 1, 2, 7, 5]);
    expect(() => decodeCifar(new Uint8Array(3074), "a.bin")).toThrow(
      "a.bin at byte 3073: expected records of 3073 bytes, found 3074",
    );
    expect(() => decodeCifar(new Uint8Array(0))).toThrow(FormatError);
    expect(() => decodeCifar(record.fill(10, 0, 1))).toThrow("expected a label 0 to 9, found 10");
  });
});

test("wrong arguments are named at once", () => {
  expect(() => mnist("validation" as Split)).toThrow('mnist: split must be "train" or "test", not "validation"');
  expect(() => cifar10("valid" as Split)).toThrow('cifar10: split must be "train" or "test", not "valid"');
  expect(() => cifar10("train", { batches: [0] })).toThrow("cifar10: batches must be some of 1 to 5, not [0]");
});

describe("a set that is given", () => {
  const fileOf = (dir: string, name: string): File => new File([readFileSync(join(dir, name))], name);
  const names = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz"];

  test("as files is taken from them alone, by their names", async () => {
    const dir = smallSet();
    const files = names.map((name) => fileOf(dir, name));
    const { x, y } = await mnist("test", { files, verify: false }).samples();
    expect([x.length, ...y]).toEqual([2 * 784, 3, 4]);
    const wrong = await failure(mnist("test", { files }));
    expect(wrong).toBeInstanceOf(FormatError);
    expect(wrong.message).toContain("t10k-images-idx3-ubyte: SHA-256 differs");
    const lacking = await failure(mnist("test", { files: [files[0]], verify: false, dir }));
    expect(lacking.message).toBe("t10k-labels-idx1-ubyte.gz is not one of files (t10k-images-idx3-ubyte); add it");
  });

  test("as files may be some of CIFAR-10's, unless they were named", async () => {
    const record = new File([new Uint8Array(2 * 3073).fill(1)], "data_batch_3.bin");
    const { y } = await cifar10("train", { files: [record], verify: false }).samples();
    expect([...y]).toEqual([1, 1]);
    const batches = [3, 4];
    expect((await failure(cifar10("train", { files: [record], verify: false, batches }))).message).toContain(
      "data_batch_4.bin is not one of files",
    );
    expect((await failure(cifar10("test", { files: [], verify: false }))).message).toContain("not one of files (none)");
  });

  test("as an address is fetched from there, file by file, and checked unless told not to be", async () => {
    const source = smallSet();
    writeFileSync(join(source, "t10k-images-idx3-ubyte.gz"), gzipSync(readFileSync(join(source, names[0]))));
    writeFileSync(join(source, "test_batch.bin"), new Uint8Array(3073).fill(2));
    const asked: string[] = [];
    const server = createServer(({ url = "" }, response) => {
      asked.push(url);
      response.end(readFileSync(join(source, url.replace("/sets/", ""))));
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/sets`;
    const options = { url, dir: folder(), download: true, onProgress: () => {} };
    expect((await failure(mnist("test", options))).message).toMatch(/ended after \d+ of 1648877 bytes/);
    const { y } = await mnist("test", { ...options, verify: false }).samples();
    expect([...y]).toEqual([3, 4]);
    expect([...(await cifar10("test", { ...options, verify: false }).samples()).y]).toEqual([2]);
    expect(asked.slice(1)).toEqual(
      ["t10k-images-idx3-ubyte.gz", names[1], "test_batch.bin"].map((name) => `/sets/${name}`),
    );
    server.close();
  });
});
