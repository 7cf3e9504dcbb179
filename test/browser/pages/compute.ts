// What the pages compute: LeNet-5's bits and the README's ten lines, with the package as a bundle.
import { device, devices } from "hebb";
import { download, glyphs, readImage } from "hebb/data";
import { readNpy, serializeNpy, writeNpy } from "hebb/io";
import { Linear, mse } from "hebb/nn";
import { adam } from "hebb/optim";
import { Trainer } from "hebb/train";
import { lenetBytes } from "../../lenet-steps.ts";

/** SHA-256 of LeNet-5 after 100 steps on wasm. */
export async function lenet(threads: number): Promise<string> {
  device("wasm", { threads });
  const digest = await crypto.subtle.digest("SHA-256", await lenetBytes());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The losses that examples/quick-start.ts logs, on the device that is chosen by itself. */
export async function quickStart(): Promise<{ device: string; losses: number[] }> {
  const losses: number[] = [];
  const { log } = console;
  console.log = (loss: number) => void losses.push(loss);
  await import("../../../examples/quick-start.ts");
  console.log = log;
  return { device: device(), losses };
}

const messageOf = (act: () => unknown): Promise<string> =>
  Promise.resolve()
    .then(act)
    .then(
      () => "no error",
      (error: Error) => error.message,
    );

/** What is said of things that need Node. */
export async function refusals(): Promise<Record<string, string>> {
  const model = new Linear(2, 1);
  const trainer = new Trainer(
    model,
    adam(model, ({ x }) => mse(model.forward(x), x)),
  );
  const raw = { dtype: "f32", shape: [1], data: Float32Array.of(1) } as const;
  return {
    native: await messageOf(() => device("native")),
    devices: devices()
      .map(({ name, problem }) => `${name}: ${problem ?? "works"}`)
      .join("; "),
    fit: await messageOf(() => trainer.fit(glyphs("train", { count: 8 }).batch(4) as never, { out: "runs/a" })),
    write: await messageOf(() => writeNpy("a.npy", raw)),
    absent: await messageOf(() => readNpy("absent.npy")),
    download: await messageOf(() =>
      download({ name: "a", bytes: 1, sha256: "", urls: ["one.bin"] }, "a", { verify: false }),
    ),
    picture: await messageOf(() => readImage(new Blob(["no picture"]), [1, 2, 2])),
    npy: JSON.stringify([...(await readNpy(new File([serializeNpy(raw) as Uint8Array<ArrayBuffer>], "a.npy"))).data]),
  };
}
