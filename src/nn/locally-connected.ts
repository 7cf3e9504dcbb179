// Locally connected layers: convolutions whose kernels are not shared, one for each place of the output.
import { param, stack, type Tensor, within } from "../graph/index.ts";
import { fail, paddingOf, type Shape, sameShape, show, sizeOf } from "../graph/internal.ts";
import { fanInUniform, type Init, uniform } from "./init.ts";
import { checkSizes, type Sizes, sizesOf } from "./module.ts";
import { places } from "./pool.ts";

export interface LocallyConnectedOptions {
  stride?: Sizes;
  padding?: Sizes;
  bias?: boolean;
  /** Gives the kernels of each place in turn. */
  init?: Init;
}

/**
 * A convolution without shared weights (LeCun, Generalization and network design strategies, 1989):
 * y[n, o, i, j] = b[o, i, j] + Σ w[i, j, o, c, u, v]·x[n, c, i·stride + u − padding, j·stride + v − padding].
 * x [N, inputs, …image] → [N, outputs, …], each size ⌊(n + 2·padding − kernel) / stride⌋ + 1; the image's sizes are fixed, as
 * there is a kernel for each place. Starts from U(±1/√(inputs·kernel)). Throws where the kernel does not fit, or x has other sizes.
 */
export abstract class LocallyConnectedNd {
  weight: Tensor; // […places, outputs, inputs, …kernel]
  bias: Tensor | undefined; // [outputs, …places]
  readonly image: Shape;
  readonly stride: readonly number[];
  readonly padding: readonly number[];

  protected constructor(
    layer: string,
    rank: number,
    inputs: number,
    outputs: number,
    image: Sizes,
    kernel: Sizes,
    options: LocallyConnectedOptions,
  ) {
    const { stride = 1, padding = 0, bias = true, init = fanInUniform } = options;
    checkSizes(layer, { inputs, outputs });
    this.image = sizesOf(layer, "image", image, rank);
    this.stride = sizesOf(layer, "stride", stride, rank);
    this.padding = sizesOf(layer, "padding", padding, rank, 0);
    const size = sizesOf(layer, "kernel", kernel, rank);
    const counts = this.image.map((n, i) => Math.floor((n + 2 * this.padding[i] - size[i]) / this.stride[i]) + 1);
    if (counts.some((n) => n < 1))
      fail(
        layer,
        `the kernel does not fit, image ${show(this.image)}, padding ${show(this.padding)}, kernel ${show(size)}`,
      );
    const shape = [outputs, inputs, ...size];
    const values = new Float32Array(sizeOf(counts) * sizeOf(shape));
    for (let at = 0; at < values.length; at += sizeOf(shape)) {
      const kernels = init(shape);
      if (kernels.length !== sizeOf(shape))
        fail(layer, `init gave ${kernels.length} elements, ${show(shape)} takes ${sizeOf(shape)}`);
      values.set(kernels, at);
    }
    this.weight = param(values, [...counts, ...shape]);
    const bound = 1 / Math.sqrt(inputs * sizeOf(size));
    this.bias = bias ? param((shape) => uniform(shape, -bound, bound), [outputs, ...counts]) : undefined;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const { weight, image, stride } = this;
      const rank = image.length;
      const counts = weight.shape.slice(0, rank);
      const [outputs, inputs, ...kernel] = weight.shape.slice(rank);
      if (x.rank !== rank + 2 || !sameShape(x.shape.slice(1), [inputs, ...image]))
        fail("locallyConnected", `needs [N, ${[inputs, ...image].join(", ")}], got ${show(x.shape)}`);
      const ones = kernel.map(() => 1);
      const widths = paddingOf("locallyConnected", [...this.padding], image, kernel, stride, ones);
      const padded = x.pad([[0, 0], [0, 0], ...widths]);
      const axes = counts.map((_, i) => i + 2);
      const seen = stack(places(padded, { size: kernel, stride, dilation: ones }), -1) // [N, inputs, …places, kernel elements]
        .permute([...axes, 0, 1, rank + 2])
        .reshape(sizeOf(counts), x.shape[0], inputs * sizeOf(kernel));
      const y = seen
        .matmul(weight.reshape(sizeOf(counts), outputs, inputs * sizeOf(kernel)).transpose()) // [places, N, outputs]
        .permute(1, 2, 0)
        .reshape(x.shape[0], outputs, ...counts);
      return this.bias === undefined ? y : y.add(this.bias);
    });
  }
}

/** An unshared convolution of sequences [N, inputs, image] → [N, outputs, L′]; see `LocallyConnectedNd`. */
export class LocallyConnected1d extends LocallyConnectedNd {
  constructor(inputs: number, outputs: number, image: Sizes, kernel: Sizes, options: LocallyConnectedOptions = {}) {
    super("LocallyConnected1d", 1, inputs, outputs, image, kernel, options);
  }
}

/** An unshared convolution of images [N, inputs, …image] → [N, outputs, H′, W′]; see `LocallyConnectedNd`. */
export class LocallyConnected2d extends LocallyConnectedNd {
  constructor(inputs: number, outputs: number, image: Sizes, kernel: Sizes, options: LocallyConnectedOptions = {}) {
    super("LocallyConnected2d", 2, inputs, outputs, image, kernel, options);
  }
}
