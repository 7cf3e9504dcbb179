// Chromium, where the machine has one, and pages of this computer for it: isolated, which have threads, and plain ones.
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium, type Page } from "playwright-core";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where Chromium is: CHROMIUM says, or it is in one of its usual places. */
export const chromiumPath: string | undefined = process.env.CHROMIUM || places.find((path) => existsSync(path));

/** Whether there is a Chromium; says so when there is none. */
export function hasChromium(): boolean {
  if (chromiumPath === undefined)
    console.log(`skipped: no Chromium in ${places.join(", ")}; install it, or name it with CHROMIUM`);
  return chromiumPath !== undefined;
}

export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: chromiumPath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  });

/** The headers without which a page has no shared memory, and so one thread. */
const isolating = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export interface Site {
  readonly origin: string;
  /** The paths that were asked for. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** Serves files by their names, in any folder, and the pages /isolated/ and /plain/. */
export async function serveFiles(files: ReadonlyMap<string, Uint8Array>): Promise<Site> {
  const asked: string[] = [];
  const server: Server = createServer(({ url = "" }, response) => {
    asked.push(url);
    const path = new URL(url, "http://host").pathname;
    const content = path.endsWith("/") ? "<!doctype html><title>hebb</title>" : files.get(path.replace(/^.*\//, ""));
    if (content === undefined) return void response.writeHead(404).end();
    const type = path.endsWith("/")
      ? "text/html"
      : path.endsWith(".js")
        ? "text/javascript"
        : "application/octet-stream";
    const headers = url.startsWith("/plain/") ? {} : isolating;
    response
      .writeHead(200, { "Content-Type": `${type}; charset=utf-8`, "Cache-Control": "no-store", ...headers })
      .end(content);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((done) => {
      server.close(() => done());
      server.closeAllConnections();
    });
  return { origin: `http://127.0.0.1:${port}`, asked, close };
}

export type Kind = "isolated" | "plain";

/** Calls what a module of the site exports, in the page. The code is a text, since vitest would replace its import(). */
export const callIn = <T>(page: Page, module: string, name: string, ...args: unknown[]): Promise<T> =>
  page.evaluate(`import("./${module}.js").then((m) => m.${name}(...${JSON.stringify(args)}))`);
