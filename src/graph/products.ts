// Products of matrices and vectors.
import { promote } from "./dtype.ts";
import { as, checkTensors, make, spread } from "./operands.ts";
import { broadcastShapes, fail, show, sizeOf } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** See Tensor.matmul. */
export function matmul(x: Tensor, y: Tensor): Tensor {
  checkTensors("matmul", [y]);
  if (x.rank === 0 || y.rank === 0)
    fail("matmul", `needs matrices or vectors, got ${show(x.shape)} · ${show(y.shape)}`);
  if (y.rank === 1) return matmul(x, y.unsqueeze(1)).squeeze(-1);
  if (x.rank === 1) return matmul(x.unsqueeze(0), y).squeeze(-2);
  const dtype = promote(promote(x.dtype, y.dtype), "f32");
  const [a, b] = [as(dtype, x), as(dtype, y)];
  if (b.rank === 2 && a.rank > 2) {
    // one large product instead of a batch of small ones
    const [k] = a.shape.slice(-1);
    if (k !== b.shape[0]) make("matmul", [a.reshape(-1, k), b], {});
    const rows = a.shape.slice(0, -1);
    return make("matmul", [a.reshape(sizeOf(rows), k), b], {}).reshape(...rows, b.shape[1]);
  }
  if (a.rank === 2 && b.rank === 2) return make("matmul", [a, b], {});
  const lead = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  return make("matmul", [spread(a, [...lead, ...a.shape.slice(-2)]), spread(b, [...lead, ...b.shape.slice(-2)])], {});
}

function checkVectors(op: string, x: Tensor, y: Tensor): void {
  checkTensors(op, [y]);
  if (x.rank !== 1 || y.rank !== 1) fail(op, `needs two vectors, got ${show(x.shape)} and ${show(y.shape)}`);
}

/** See Tensor.dot. */
export function dot(x: Tensor, y: Tensor): Tensor {
  checkVectors("dot", x, y);
  if (x.size !== y.size) fail("dot", `sizes differ, ${show(x.shape)} and ${show(y.shape)}`);
  return x.mul(y).sum();
}

/** See Tensor.outer. */
export function outer(x: Tensor, y: Tensor): Tensor {
  checkVectors("outer", x, y);
  return x.unsqueeze(1).mul(y);
}
