// What the tiler knows of a machine; each backend has one.
import type { TiledKernel } from "./4-tile.ts";
import { loadCost } from "./load-cost.ts";
import { Prefetcher } from "./prefetch.ts";

export interface Target {
  /** Bytes at whose multiples every buffer of a kernel starts. */
  readonly alignment: number;
  /** Bytes that a buffer may have. */
  readonly mostBytes: number;
  /** Buffers that a kernel may have. */
  readonly mostBuffers: number;
  /** Scalar operations below which threads do not share a kernel: meeting again takes two of them about a microsecond at best. */
  readonly parallelWork: number;
  /**
   * Kernels take turns in so many strips at least, which threads share out, or units of strips along which sums go on, where that spares so
   * many bytes on their way from memory; of a strip each touches no more than a second-level cache has room for.
   */
  readonly strips: { readonly least: number; readonly units: number; readonly spared: number; readonly room: number };
  /** 32-bit elements in a vector. */
  readonly lanes: number;
  /** Vector registers. */
  readonly registers: number;
  /** All that a round of a loop loads is held in registers at once, as the code generator moves loads ahead of arithmetic. */
  readonly loadsFirst: boolean;
  /** A multiplication and an addition are one instruction, and an operand may come from memory. */
  readonly fused: boolean;
  /** Instructions that a load along vectors is worth, where it is no more than one beside others. */
  readonly loadCost?: typeof loadCost;
  /**
   * Along what vectors run in a large matrix product; factors used at least so many times are copied to be contiguous there: in panels
   * of so many vectors of columns, the first that make whole panels. (Products of 512 to 1536 gain 6 to 14 % in C, 5 to 15 % in WebAssembly.)
   */
  readonly products: {
    readonly contiguous: "depth" | "columns";
    readonly uses: number;
    readonly panels: readonly number[];
  };
  /** Elements along an axis that a register tile may take. */
  readonly factors: readonly number[];
  /** Elements of a register tile besides those along lanes. */
  readonly mostUnrolled: number;
  /** The last tile along an axis reaches back over the one before instead of being smaller, where nothing that it reads is overwritten: a third less code. */
  readonly reachesBack: boolean;
  /** Terms of an inner sum, as over the taps of a convolution, up to which the compiler of the code should write out its loops; 0: nobody but the tiler does. */
  readonly mostTerms: number;
  /** Operations after a tile's sums, over all of its elements, up to which they are written out: past that they are loops. */
  readonly mostStored: number;
  /** Asks for memory ahead of time; undefined where nothing can be asked for. */
  readonly prefetcher?: (...given: ConstructorParameters<typeof Prefetcher>) => Prefetcher;
  /** Bytes of one operand that should stay in the second-level cache while the other passes by. */
  readonly blockBytes: number;
  /** Chooses among register tiles by measuring them; without, the cost model's estimate decides. */
  readonly tuning?: Tuning;
}

/** Knows, or finds out, which of several layouts of one kernel is the fastest here. */
export interface Tuning {
  /** Scalar operations below which a kernel is not worth measuring. */
  readonly leastWork: number;
  /** What has been found so far; undefined while more may be. */
  readonly found?: string | undefined;
  /** Layouts of a kernel that may be tried. */
  readonly most: number;
  /** One of `layouts`, which are sorted by the cost model's estimate; `text` says what the kernel computes. */
  choose(layouts: readonly TiledKernel[], text: string, target: Target): TiledKernel;
}

/** What processors have in common: memory of 4 GiB that is addressed by bytes. */
const processor = {
  alignment: 4,
  mostBytes: 2 ** 32,
  mostBuffers: Number.POSITIVE_INFINITY,
  parallelWork: 60_000,
  strips: { least: 16, units: 4, spared: 512 * 1024, room: 1024 * 1024 },
};

/** 128-bit vectors in WebAssembly: V8 hands out 15 of the 16 registers of x86-64. */
export const wasmTarget: Target = {
  ...processor,
  lanes: 4,
  registers: 15,
  loadsFirst: true,
  fused: false,
  products: { contiguous: "depth", uses: 48, panels: [4, 2] },
  factors: [2, 3, 4, 5, 6],
  mostUnrolled: 12,
  reachesBack: false,
  mostTerms: 0,
  mostStored: Number.POSITIVE_INFINITY,
  blockBytes: 256 * 1024,
};

/** Vectors of a processor that C is compiled for; its compiler puts operands and addresses where they belong. */
export const nativeTarget = (lanes: number, tuning?: Tuning): Target => ({
  ...processor,
  lanes,
  registers: lanes === 8 ? 16 : 32,
  loadsFirst: false,
  fused: true,
  loadCost,
  products: { contiguous: "columns", uses: 16, panels: [3, 2, 4, 1] },
  factors: [2, 3, 4, 5, 6, 7, 8, 10, 12, 14],
  mostUnrolled: 28,
  reachesBack: true,
  mostTerms: 120, // past that values crowd the registers
  mostStored: 48, // written out, what follows the sums was five sixths of a ResNet-50's code, and of the time that its compiler took
  prefetcher: (...given) => new Prefetcher(...given),
  blockBytes: 512 * 1024,
  tuning,
});
