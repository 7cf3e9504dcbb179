// Training data in a page: fetched and cached, chosen in an <input>, pictures.
import { type Dataset, mnist, readCifar, readIdx, readImage } from "hebb/data";
import { readNpy, readSafetensors } from "hebb/io";

const summary = async (data: Dataset): Promise<{ x: number[]; y: number[] }> => {
  const { x, y } = await data.samples();
  return { x: [x.length, x[0], x[x.length - 1]], y: [...y.subarray(0, 4)] };
};

/** MNIST's test images from an address, or why not. */
export const fetched = (url: string, options: object): Promise<unknown> =>
  summary(mnist("test", { url, ...options })).catch((error: Error) => error.message);

/** MNIST's test images among the files chosen in the page's <input>. */
export const chosen = (): Promise<unknown> =>
  summary(mnist("test", { files: document.querySelector("input")!.files!, verify: false }));

/** What each reader makes of the chosen files. */
export async function read(): Promise<Record<string, unknown>> {
  const files = new Map(Array.from(document.querySelector("input")!.files!, (file) => [file.name, file]));
  const { tensors } = await readSafetensors(files.get("a.safetensors")!);
  return {
    idx: (await readIdx(files.get("t10k-labels-idx1-ubyte")!)).shape,
    npy: [...(await readNpy(files.get("a.npy")!)).data],
    safetensors: [...tensors].map(([name, { data }]) => [name, ...data]),
    cifar: [...(await readCifar(files.get("one.bin")!)).y],
    fetched: [...(await readNpy("a.npy")).data],
  };
}

/** A picture whose left half is red and right half is blue, in colours and in grey. */
export async function picture(): Promise<{ colours: number[]; grey: number[] }> {
  const canvas = new OffscreenCanvas(8, 4);
  const context = canvas.getContext("2d")!;
  context.fillStyle = "#ff0000";
  context.fillRect(0, 0, 4, 4);
  context.fillStyle = "#0000ff";
  context.fillRect(4, 0, 4, 4);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  return { colours: [...(await readImage(blob, [3, 1, 2]))], grey: [...(await readImage(blob, [1, 4, 8]))] };
}
