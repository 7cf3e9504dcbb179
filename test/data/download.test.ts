// Downloads from a server on this machine: whole files only, checked, mirrors in turn; and the tar reader that follows one.
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { dataFolder } from "../../src/data/data-folder.ts";
import { download, FormatError, type Remote, stderrProgress } from "../../src/data/index.ts";
import { openDataFile } from "../../src/data/open-data.ts";
import { tarMembers } from "../../src/data/tar.ts";

const content = new Uint8Array(300_000).map((_, i) => (i * 7919) >> 5);
const sha256 = createHash("sha256").update(content).digest("hex");
let server: Server;
let base: string;
let dir: string;
const quiet = { onProgress: () => {} };
const remote = (...paths: string[]): Remote => ({
  name: "thing.gz",
  bytes: content.length,
  sha256,
  urls: paths.map((path) => base + path),
});

beforeAll(async () => {
  server = createServer((request, response) => {
    const half = content.subarray(0, 150_000);
    if (request.url === "/good") response.end(content);
    else if (request.url === "/broken")
      response.writeHead(200, { "content-length": content.length }).write(half, () => response.destroy());
    else if (request.url === "/stalled") response.write(half);
    else if (request.url === "/short") response.end(half);
    else if (request.url === "/long") response.end(Buffer.concat([content, Buffer.from([1])]));
    else if (request.url === "/changed") response.end(content.map((byte, i) => (i === 5 ? byte ^ 1 : byte)));
    else response.writeHead(404).end("no");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hebb-download-"));
  return () => rmSync(dir, { recursive: true });
});

describe("download", () => {
  test("writes the file and reports progress", async () => {
    const steps: number[] = [];
    const path = join(dir, "deep", "folder", "thing.gz");
    const bytes = await download(remote("/good"), path, {
      onProgress: (done, total, name) => {
        expect([total, name]).toEqual([content.length, "thing.gz"]);
        steps.push(done);
      },
    });
    expect(Buffer.compare(bytes, content)).toBe(0);
    expect(Buffer.compare(readFileSync(path), content)).toBe(0);
    expect(readdirSync(join(dir, "deep", "folder"))).toEqual(["thing.gz"]);
    expect(steps.at(-1)).toBe(content.length);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  });

  const failures: [path: string, says: RegExp][] = [
    ["/broken", /terminated|other side closed|aborted/],
    ["/stalled", /no data for 0.2 s/],
    ["/short", /ended after 150000 of 300000 bytes/],
    ["/long", /more than the expected 300000 bytes/],
    ["/changed", /SHA-256 differs \(expected [0-9a-f]{8}…, found [0-9a-f]{8}…\)/],
    ["/absent", /HTTP 404/],
  ];
  for (const [path, says] of failures)
    test(`${path.slice(1)} leaves no file and says why`, async () => {
      const error = await download(remote(path), join(dir, "thing.gz"), { ...quiet, stallTimeout: 200 }).catch(
        (caught) => caught,
      );
      expect(error.message).toMatch(says);
      expect(error.message).toMatch(
        /^cannot download thing\.gz \(http.*\); check the network or fetch it by hand and save it as .*thing\.gz$/,
      );
      expect(readdirSync(dir)).toEqual([]);
    });

  test("an unreachable server is named", async () => {
    const nowhere = { ...remote(), urls: ["http://127.0.0.1:9/thing.gz"] };
    await expect(download(nowhere, join(dir, "thing.gz"), quiet)).rejects.toThrow(
      "http://127.0.0.1:9/thing.gz: fetch failed",
    );
  });

  test("tries the next address", async () => {
    await download(remote("/absent", "/broken", "/good"), join(dir, "thing.gz"), quiet);
    expect(readdirSync(dir)).toEqual(["thing.gz"]);
  });

  test("a file that cannot be written leaves nothing and is named", async () => {
    writeFileSync(join(dir, "file"), "");
    await expect(download(remote("/good"), join(dir, "file", "thing.gz"), quiet)).rejects.toThrow(
      /cannot write .*file.thing\.gz/,
    );
    expect(readdirSync(dir)).toEqual(["file"]);
  });

  test("two at once end in one whole file", async () => {
    const path = join(dir, "thing.gz");
    await Promise.all([download(remote("/good"), path, quiet), download(remote("/good"), path, quiet)]);
    expect(readdirSync(dir)).toEqual(["thing.gz"]);
  });

  test("progress is one line a file when nobody watches", () => {
    const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const tty = process.stderr.isTTY;
    process.stderr.isTTY = false;
    stderrProgress(10, 2_500_000, "thing.gz");
    stderrProgress(2_500_000, 2_500_000, "thing.gz");
    process.stderr.isTTY = true;
    stderrProgress(10, 2_500_000, "thing.gz");
    const words = said.mock.calls.map(([text]) => text);
    said.mockRestore();
    process.stderr.isTTY = tty;
    expect(words).toEqual(["downloaded thing.gz (2.5 MB)\n", "\rthing.gz  0.0 / 2.5 MB"]);
  });
});

describe("data folder", () => {
  test("is dir, else HEBB_DATA, else the cache folder", async () => {
    vi.stubEnv("HEBB_DATA", "/from/environment");
    expect(await dataFolder("/mine")).toEqual({ path: "/mine", from: "dir" });
    expect(await dataFolder()).toEqual({ path: "/from/environment", from: "HEBB_DATA" });
    vi.stubEnv("HEBB_DATA", "");
    vi.stubEnv("XDG_CACHE_HOME", "/caches");
    expect(await dataFolder()).toEqual({ path: "/caches/hebb", from: "cache" });
    vi.stubEnv("XDG_CACHE_HOME", "");
    vi.stubEnv("HOME", "/home/someone");
    expect(await dataFolder()).toEqual({ path: "/home/someone/.cache/hebb", from: "cache" });
    vi.unstubAllEnvs();
  });

  test("files are fetched into the cache once, and into a named folder only when asked", async () => {
    vi.stubEnv("HEBB_DATA", "");
    vi.stubEnv("XDG_CACHE_HOME", dir);
    const fetched = vi.spyOn(globalThis, "fetch");
    const first = await openDataFile(remote("/good"), ["things", ""], quiet);
    expect(first.path).toBe(join(dir, "hebb", "things", "thing.gz"));
    expect((await openDataFile(remote("/good"), ["things", ""], quiet)).path).toBe(first.path);
    expect(fetched).toHaveBeenCalledTimes(1);
    const named = join(dir, "named");
    await expect(openDataFile(remote("/good"), ["things", ""], { ...quiet, dir: named })).rejects.toThrow("is not in");
    expect(existsSync(named)).toBe(false);
    await openDataFile(remote("/good"), ["things", ""], { ...quiet, dir: named, download: true });
    expect(readdirSync(join(named, "things"))).toEqual(["thing.gz"]);
    await expect(openDataFile(remote("/good"), ["others"], { ...quiet, download: false })).rejects.toThrow("is not in");
    fetched.mockRestore();
    vi.unstubAllEnvs();
  });

  test("a damaged file is refused, or replaced where that is asked for, and kept either way", async () => {
    const path = join(dir, "thing.gz");
    const options = { ...quiet, dir };
    writeFileSync(path, content.subarray(1));
    const refused = openDataFile(remote("/good"), [""], options);
    await expect(refused).rejects.toThrow(FormatError);
    await expect(refused).rejects.toThrow(/--download replaces it and keeps this one as .*thing\.gz\.damaged/);
    const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const failed = openDataFile(remote("/absent"), [""], { ...options, download: true });
    await expect(failed).rejects.toThrow(/HTTP 404.*--data-dir or HEBB_DATA/);
    expect(readFileSync(path).length).toBe(content.length - 1);
    const opened = await openDataFile(remote("/good"), [""], { ...options, download: true });
    expect(said.mock.lastCall![0]).toContain(`fetching it, and keeping this one as ${path}.damaged`);
    said.mockRestore();
    expect(Buffer.compare(opened.bytes, content)).toBe(0);
    expect([readFileSync(path).length, readFileSync(`${path}.damaged`).length]).toEqual([300_000, 299_999]);
    expect((await openDataFile(remote("/absent"), [""], options)).path).toBe(path);
  });
});

describe("tar", () => {
  const member = (name: string, bytes: Uint8Array, type = "0"): Buffer => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("        ", 148);
    header.write(type, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
  };
  const end = Buffer.alloc(1024);
  const archive = Buffer.concat([
    member("d/", new Uint8Array(0), "5"),
    member("d/a.bin", content),
    member("d/b.txt", Buffer.from("hello")),
    member("d/link", new Uint8Array(0), "2"),
    end,
  ]);
  const list = async (bytes: Uint8Array, limit = 2 ** 20): Promise<[string, number][]> => {
    const found: [string, number][] = [];
    for await (const { name, bytes: inside } of tarMembers(bytes, (each) => each !== "d/a.bin" || limit > 0, {
      file: "t.tar",
      limit,
    }))
      found.push([name, inside.length]);
    return found;
  };

  test("yields the wanted regular files, plain or gzip", async () => {
    for (const bytes of [archive, gzipSync(archive)])
      expect(await list(bytes)).toEqual([
        ["d/a.bin", 300_000],
        ["d/b.txt", 5],
      ]);
  });

  test("refuses damage", async () => {
    await expect(list(archive, 1000)).rejects.toThrow("member d/a.bin has 300000 bytes, expected at most 1000");
    await expect(list(archive.subarray(0, 5000))).rejects.toThrow("the archive ends inside a member");
    await expect(list(archive.subarray(0, archive.length - 1024))).rejects.toThrow("ends without its end mark");
    await expect(list(archive.map((byte, i) => (i === 3 ? 65 : byte)))).rejects.toThrow(
      "t.tar at byte 0: the tar header's checksum is wrong",
    );
    await expect(list(gzipSync(archive).subarray(0, 3000))).rejects.toThrow(FormatError);
  });
});
