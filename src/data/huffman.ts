// Huffman's code: the binary prefix code of the least mean length, as paths through its tree.
import { Heap } from "./heap.ts";

/** The way from the root to one symbol: which inner nodes it passes, and whether it turns right there. */
export interface HuffmanPath {
  /** Inner nodes 0 … n − 2, the root (n − 2) first. */
  readonly nodes: Int32Array;
  /** For each node, 1 where the path turns right, else 0: the code. */
  readonly code: Uint8Array;
}

interface Node {
  readonly weight: number;
  /** 0 … n − 1 are symbols, n + i is inner node i: the order in which nodes are made, which decides between equal weights. */
  readonly id: number;
}

/**
 * The paths of symbols that come so often: Σ count·length is the least that any binary prefix code has (Huffman, 1952). A single
 * symbol has the empty path. Throws a RangeError where there is no symbol, or a count is negative or not finite.
 */
export function huffmanPaths(counts: ArrayLike<number>): HuffmanPath[] {
  const n = counts.length;
  if (n === 0) throw new RangeError("huffmanPaths: there are no counts; give one for each symbol");
  const heap = new Heap<Node>((a, b) => a.weight < b.weight || (a.weight === b.weight && a.id < b.id));
  for (let id = 0; id < n; id++) {
    const weight = counts[id];
    if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY))
      throw new RangeError(`huffmanPaths: count ${id} must be a finite number of at least 0, got ${weight}`);
    heap.push({ weight, id });
  }
  const parent = new Int32Array(2 * n - 1);
  const right = new Uint8Array(2 * n - 1);
  for (let id = n; id < 2 * n - 1; id++) {
    const [a, b] = [heap.pop()!, heap.pop()!];
    parent[a.id] = id;
    parent[b.id] = id;
    right[b.id] = 1;
    heap.push({ weight: a.weight + b.weight, id });
  }
  return Array.from({ length: n }, (_, symbol) => {
    const nodes: number[] = [];
    const code: number[] = [];
    for (let at = symbol; at < 2 * n - 2; at = parent[at]) {
      nodes.push(parent[at] - n);
      code.push(right[at]);
    }
    return { nodes: Int32Array.from(nodes.reverse()), code: Uint8Array.from(code.reverse()) };
  });
}
