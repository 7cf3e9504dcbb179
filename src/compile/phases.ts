// Convolutions of images with gaps, such as the gradient of a convolution with a stride, as convolutions without.
import { type Args, argsOf, type Node, type Op, type Shape } from "../graph/internal.ts";

/** Makes nodes of a graph. */
export interface NodeMaker {
  node<O extends Op>(op: O, inputs: readonly Node[], args: Args[O], shape: Shape): Node;
  reshape(x: Node, shape: Shape): Node;
  crop(x: Node, start: readonly number[], stop: readonly number[]): Node;
  pad(x: Node, widths: readonly (readonly [number, number])[]): Node;
  /** A buffer with so many zeros more before and after each axis, elements fewer where negative. */
  fit(x: Node, widths: readonly (readonly [number, number])[]): Node;
  /** Two values or more, computed one after another in one buffer: a row. */
  join(parts: readonly Node[]): Node;
  /** A convolution without gaps. */
  convolve(conv: Node): Node;
}

/** Every so-manyth element of a result along an axis: those that meet the same taps of the kernel. */
interface Phase {
  /** The first of the taps, and how many. */
  readonly tap: number;
  readonly taps: number;
  /** Zeros before the image. */
  readonly before: number;
}

/** An axis of a convolution along which the elements of the image lie `gap` apart. */
interface Axis {
  readonly gap: number;
  /** Elements computed before the first wanted one, so that the phases with any taps are the first ones. */
  readonly skipped: number;
  /** Elements of each phase. */
  readonly length: number;
  readonly phases: readonly Phase[];
  /** Elements of the image that so many taps need for those. */
  reach(taps: number): number;
}

/**
 * With d − 1 zeros between the elements of an image, element d·i + p of a convolution meets only every d-th tap of the kernel, from
 * t = (before − p) mod d on: Σₖ x[i + k + (p + t − before) / d] · w[t + d·k]. So each phase p is a convolution of the image as it is with
 * its share of the taps, and all of them are 1 / d of the work along each axis. They are computed one after another in memory and seen
 * interleaved. Undefined where there are no gaps, or where the axis that has them has a stride or spread taps too.
 */
export function inPhases(node: Node, maker: NodeMaker): Node | undefined {
  const args = argsOf(node, "conv");
  const { inputDilation: gaps, stride, dilation } = args;
  if (gaps.every((d) => d === 1) || gaps.some((d, i) => d > 1 && (stride[i] > 1 || dilation[i] > 1))) return undefined;
  const [x, w] = node.inputs;
  const [batch, channels, ...image] = x.shape;
  const axes = gaps.map((_, i) => axisOf(node, i));
  const first = axes.map(({ phases }) => Math.max(...phases.map(({ before }) => before)));
  const last = axes.map(({ phases, reach }) => Math.max(...phases.map(({ taps, before }) => reach(taps) - before)));
  const whole = [[0, 0] as const, [0, 0] as const];
  const padded = maker.fit(x, [...whole, ...image.map((n, i) => [first[i], last[i] - n] as const)]);
  const part = (chosen: readonly Phase[]): Node => {
    const from = chosen.map(({ before }, i) => first[i] - before);
    const to = chosen.map(({ taps }, i) => from[i] + axes[i].reach(taps));
    const seen = maker.crop(padded, [0, 0, ...from], [batch, channels, ...to]);
    const shape = [...node.shape.slice(0, 2), ...axes.map(({ length }) => length)];
    const plain = { ...args, padding: gaps.map(() => [0, 0] as const), inputDilation: gaps.map(() => 1) };
    return maker.convolve(maker.node("conv", [seen, sharedTaps(w, chosen, gaps, maker)], plain, shape));
  };
  return interleaved(combinations(axes.map(({ phases }) => phases)).map(part), node.shape, axes, maker);
}

function axisOf(node: Node, i: number): Axis {
  const { inputDilation, stride, dilation, padding } = argsOf(node, "conv");
  const [gap, size, kernel] = [inputDilation[i], node.shape[i + 2], node.inputs[1].shape[i + 2]];
  const skipped = kernel < gap ? mod(kernel - 1 - padding[i][0], gap) : 0;
  const before = padding[i][0] + skipped;
  const length = Math.ceil((size + skipped) / gap);
  const phases = Array.from({ length: Math.min(gap, kernel) }, (_, p): Phase => {
    const tap = mod(before - p, gap);
    return { tap, taps: Math.ceil((kernel - tap) / gap), before: (before - p - tap) / gap };
  });
  const reach = (taps: number): number => (length - 1) * stride[i] + (taps - 1) * dilation[i] + 1;
  return { gap, skipped, length, phases, reach };
}

const mod = (n: number, d: number): number => ((n % d) + d) % d;

/** The taps of a kernel that a phase of each axis meets. */
function sharedTaps(w: Node, chosen: readonly Phase[], step: readonly number[], maker: NodeMaker): Node {
  const [outputs, inputs, ...kernel] = w.shape;
  const start = [0, 0, ...chosen.map(({ tap }) => tap)];
  const stop = [outputs, inputs, ...kernel];
  const shape = [outputs, inputs, ...chosen.map(({ taps }) => taps)];
  return maker.node("slice", [w], { start, stop, step: [1, 1, ...step] }, shape);
}

/** One of each, the last changing first. */
const combinations = <T>(lists: readonly (readonly T[])[]): T[][] =>
  lists.reduce<T[][]>((made, list) => made.flatMap((head) => list.map((one) => [...head, one])), [[]]);

/** The parts, whose phases change as in `combinations`, as one image. */
function interleaved(parts: readonly Node[], shape: Shape, axes: readonly Axis[], maker: NodeMaker): Node {
  const n = axes.length;
  const counts = axes.map(({ phases }) => phases.length);
  const stacked = maker.reshape(parts.length > 1 ? maker.join(parts) : parts[0], [...counts, ...parts[0].shape]); // […phases, B, C, …lengths]
  const order = [n, n + 1, ...axes.flatMap((_, i) => [n + 2 + i, i])]; // [B, C, length, phases, length, phases, …]
  const turned = maker.node(
    "permute",
    [stacked],
    { order },
    order.map((i) => stacked.shape[i]),
  );
  const none = [[0, 0] as const, [0, 0] as const];
  const filled = maker.pad(turned, [
    ...none,
    ...axes.flatMap(
      ({ gap }, i) =>
        [
          [0, 0],
          [0, gap - counts[i]],
        ] as const,
    ),
  ]);
  const full = maker.reshape(filled, [...shape.slice(0, 2), ...axes.map(({ gap, length }) => gap * length)]);
  const from = [0, 0, ...axes.map(({ skipped }) => skipped)];
  return maker.crop(
    full,
    from,
    shape.map((d, i) => from[i] + d),
  );
}
