// The networks of a hierarchical attentive memory, and its tree.
import { concat, type Tensor, within } from "../graph/index.ts";
import { Linear, relu, Sequential, tanh } from "../nn/index.ts";

/** The nodes of complete binary trees by level, the root's first: [B, 2^level, features] each; children of node i are 2i and 2i + 1. */
export type Tree = readonly Tensor[];

/**
 * JOIN, SEARCH and WRITE (Andrychowicz & Kurach, Learning efficient algorithms with hierarchical attentive memory, 2016, section 2).
 * A node is JOIN(left, right) of its children, both networks have one layer of relu units, and JOIN ends in tanh, which keeps nodes of
 * tall trees within those of low ones.
 */
export class HamMemory {
  joiner: Sequential; // [left, right] → features
  searcher: Sequential; // [node, controller] → the logit of going right
  gate: Linear; // T, from [leaf, controller]
  candidate: Linear; // H, from [leaf, controller]

  constructor(features: number, controller: number, units: number) {
    this.joiner = new Sequential(new Linear(2 * features, units), relu, new Linear(units, features), tanh);
    this.searcher = new Sequential(new Linear(features + controller, units), relu, new Linear(units, 1));
    this.gate = new Linear(features + controller, features);
    this.candidate = new Linear(features + controller, features);
  }

  /** The tree over leaves [B, n, features], n a power of 2: n − 1 JOINs. */
  build(leaves: Tensor): Tree {
    const levels = [leaves];
    while (levels[0].shape[1] > 1) levels.unshift(this.join(levels[0]));
    return levels;
  }

  /** The parents [B, m, features] of nodes [B, 2m, features]. */
  join(children: Tensor): Tensor {
    const [batch, count, features] = children.shape;
    return within(this, children, () => this.joiner.forward(children.reshape(batch, count / 2, 2 * features)));
  }

  /** log(p / (1 − p)) of going right from each of nodes [B, m, features], for a controller [B, units] → [B, m]. */
  search(nodes: Tensor, controller: Tensor): Tensor {
    return within(this, nodes, () => this.searcher.forward(beside(nodes, controller)).squeeze(-1));
  }

  /** leaf + share · T ⊙ (H − leaf) of leaves [B, m, features]: T ⊙ H + (1 − T) ⊙ leaf, the paper's WRITE, where the share is 1. */
  write(leaf: Tensor, controller: Tensor, share: Tensor | number = 1): Tensor {
    return within(this, leaf, () => {
      const both = beside(leaf, controller);
      const change = this.candidate.forward(both).tanh().sub(leaf).mul(this.gate.forward(both).sigmoid());
      return leaf.add(change.mul(share));
    });
  }
}

/** Each node with the controller's state after it: [B, m, features + units]. */
function beside(nodes: Tensor, controller: Tensor): Tensor {
  const [batch, count] = nodes.shape;
  return concat([nodes, controller.unsqueeze(1).expand(batch, count, controller.shape[1])], -1);
}
