// One access to a hierarchical attentive memory: to all leaves by their weights, or to one leaf that is found by going down the tree.
import { concat, iota, isTraining, ones, stack, type Tensor, uniform, where, zeros } from "../graph/index.ts";
import { logSigmoid, softplus } from "../nn/index.ts";
import type { HamMemory, Tree } from "./ham-memory.ts";

/** What an access reads, [B, features], and the tree after a controller has written there. */
export interface Access {
  readonly read: Tensor;
  write(controller: Tensor): Tree;
}

/** An access to every leaf by its weight [B, n]. */
export interface SoftAccess extends Access {
  readonly weights: Tensor;
}

/** An access to one leaf, i32 [B], found with ln p = `logProbability` [B]; `entropy` [B] is that of the decisions on the way. */
export interface HardAccess extends Access {
  readonly place: Tensor;
  readonly logProbability: Tensor;
  readonly entropy: Tensor;
}

/**
 * The differentiable access (DHAM): a leaf's weight is the product of the probabilities of the branches that lead to it; all leaves are
 * read and written by their weights, and all nodes are joined anew.
 */
export function softAccess(memory: HamMemory, tree: Tree, controller: Tensor): SoftAccess {
  const leaves = tree[tree.length - 1];
  const weights = leafWeights(memory, tree, controller);
  return {
    weights,
    read: weights.unsqueeze(1).matmul(leaves).squeeze(1), // [B, 1, n] · [B, n, features]
    write: (after) => memory.build(memory.write(leaves, after, weights.unsqueeze(-1))),
  };
}

function leafWeights(memory: HamMemory, tree: Tree, controller: Tensor): Tensor {
  const [batch] = controller.shape;
  let weights = ones([batch, 1], controller.dtype);
  if (tree.length === 1) return weights;
  const inner = tree.slice(0, -1);
  const logits = memory.search(concat(inner, 1), controller).split(
    inner.map(({ shape }) => shape[1]),
    1,
  );
  for (const z of logits)
    weights = stack([weights.mul(z.neg().sigmoid()), weights.mul(z.sigmoid())], -1).reshape(batch, -1);
  return weights;
}

/**
 * The access of the paper: from the root to a leaf, at each node to the right with the probability that SEARCH gives, drawn in training,
 * else where it is above ½; only the nodes on the way are joined anew, log₂ n JOINs. `given` are leaves i32 [B] to go to instead.
 */
export function hardAccess(memory: HamMemory, tree: Tree, controller: Tensor, given?: Tensor): HardAccess {
  const [batch] = controller.shape;
  const depth = tree.length - 1;
  let place = zeros([batch], "i32");
  let logProbability = zeros([batch], controller.dtype);
  let entropy = logProbability;
  for (let level = 0; level < depth; level++) {
    const z = memory.search(nodeAt(tree[level], place), controller).squeeze(1); // [B]
    const right =
      given === undefined
        ? goesRight(z)
        : given
            .shift(level + 1 - depth)
            .and(1)
            .eq(1);
    logProbability = logProbability.add(logSigmoid(where(right, z, z.neg())));
    entropy = entropy.add(softplus(z).sub(z.mul(z.sigmoid()))); // −p ln p − (1 − p) ln(1 − p) with p = σ(z)
    place = place.mul(2).add(right.cast("i32"));
  }
  const leaf = nodeAt(tree[depth], place);
  const write = (after: Tensor): Tree => rewritten(memory, tree, place, memory.write(leaf, after));
  return { place, logProbability, entropy, read: leaf.squeeze(1), write };
}

const goesRight = (z: Tensor): Tensor => (isTraining() ? uniform(z.shape).lt(z.sigmoid()) : z.gt(0)).detach();

/** Node place[b] of row b of a level: [B, 1, features]. */
function nodeAt(level: Tensor, place: Tensor): Tensor {
  const [batch, count, features] = level.shape;
  const rows = iota([batch], 0).mul(count).add(place);
  return level
    .reshape(batch * count, features)
    .gather(rows)
    .unsqueeze(1);
}

/** The tree with a value [B, 1, features] for one leaf of each row. */
function rewritten(memory: HamMemory, tree: Tree, place: Tensor, value: Tensor): Tree {
  const levels: Tensor[] = [];
  let [node, at] = [value, place];
  for (let level = tree.length - 1; level >= 0; level--) {
    const [batch, count] = tree[level].shape;
    const here = at.reshape(batch, 1, 1);
    levels.unshift(where(iota([batch, count, 1], 1).eq(here), node, tree[level]));
    if (level === 0) break;
    const sibling = nodeAt(tree[level], at.xor(1));
    const isRight = here.and(1).eq(1);
    node = memory.join(concat([where(isRight, sibling, node), where(isRight, node, sibling)], 1));
    at = at.shift(-1);
  }
  return levels;
}
