// Random sequences of assignments, lazy values, realizing and reading outside of steps: every device against a model on plain arrays.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Backend } from "../src/backend/backend.ts";
import { JsBackend } from "../src/backend/js/index.ts";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { compile, device, param, realize, type Tensor } from "../src/index.ts";
import { LateBackend } from "./late-backend.ts";
import { nativeDevice } from "./native-device.ts";

/** An action: which, on which parameters or lazy values, and where it happens. */
interface Action {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly f: number;
}

const natural = (max: number): fc.Arbitrary<number> => fc.nat({ max });
const sequences = fc.array(fc.record({ kind: natural(7), a: natural(5), b: natural(5), f: natural(5) }), {
  minLength: 2,
  maxLength: 14,
});

const size = 4;
type Values = readonly number[];

/** What tensors and plain arrays both do, in whole numbers below 64; none of them gives a tensor that there is already. */
const functions: readonly { tensor: (x: Tensor, y: Tensor) => Tensor; plain: (x: Values, y: Values) => Values }[] = [
  { tensor: (x, y) => x.add(y).mod(64), plain: (x, y) => x.map((v, i) => (v + y[i]) % 64) },
  { tensor: (x) => x.flip().add(1).mod(64), plain: (x) => x.toReversed().map((v) => (v + 1) % 64) },
  { tensor: (_, y) => y.add(1).mod(64), plain: (_, y) => y.map((v) => (v + 1) % 64) },
  { tensor: (x, y) => x.mul(y).mod(61), plain: (x, y) => x.map((v, i) => (v * y[i]) % 61) },
  { tensor: (x) => x.sum().mod(64).expand(size), plain: (x) => x.map(() => x.reduce((s, v) => s + v) % 64) },
  { tensor: (x, y) => x.maximum(y.flip()), plain: (x, y) => x.map((v, i) => Math.max(v, y[size - 1 - i])) },
];

/** A value of the model: read when it is first needed, and fixed from when it was read or realized. */
class Lazy {
  readonly #of: () => Values;
  fixed: Values | undefined;
  constructor(of: () => Values) {
    this.#of = of;
  }
  now(): Values {
    return this.fixed ?? this.#of();
  }
}

/** Both worlds, in step. */
class Worlds {
  readonly params: Tensor[];
  readonly plain: Values[];
  readonly lazy: [Tensor, Lazy][] = [];
  /** Assignments of the model that are not carried out yet. */
  readonly pending: (() => void)[] = [];
  readonly expected: Values[] = [];
  readonly found: Promise<ArrayLike<number>>[] = [];
  readonly #step: (x: Tensor) => Promise<Tensor>;
  readonly #devices: readonly Backend[];

  constructor(devices: readonly Backend[]) {
    this.#devices = devices;
    this.plain = [0, 1, 2].map((i) => Array.from({ length: size }, (_, k) => (7 * i + 3 * k) % 11));
    this.params = this.plain.map((v) => param(Float32Array.from(v)));
    const [p, q] = this.params;
    this.#step = compile((x: Tensor) => {
      p.assign(q.add(x).mod(64));
      q.assign(p);
      return p.add(q).add(x);
    });
  }

  #flush(): void {
    for (const assign of this.pending.splice(0)) assign();
  }

  /** A parameter, or a lazy value made before. */
  #operand(i: number): { tensor: Tensor; now: () => Values } {
    if (i < 3 || this.lazy.length === 0) return { tensor: this.params[i % 3], now: () => this.plain[i % 3] };
    const [tensor, lazy] = this.lazy[i % this.lazy.length];
    return { tensor, now: () => lazy.now() };
  }

  /** Carries out an action; what it reads is compared at the end, so that nothing is awaited between actions. */
  act({ kind, a, b, f }: Action): void {
    const [x, y] = [this.#operand(a), this.#operand(b)];
    const { tensor, plain } = functions[f];
    if (kind === 0 || kind === 1) {
      this.params[b % 3].assign(tensor(x.tensor, y.tensor));
      this.pending.push(() => {
        this.plain[b % 3] = plain(x.now(), y.now());
      });
    } else if (kind === 2 || kind === 3) {
      this.lazy.push([tensor(x.tensor, y.tensor), new Lazy(() => plain(x.now(), y.now()))]);
    } else if (kind === 4) device(this.#devices[a % this.#devices.length]);
    else if (kind === 5) this.#run(x);
    else if (this.lazy.length > 0 && kind === 6) {
      const [t, lazy] = this.lazy[a % this.lazy.length];
      this.#flush();
      lazy.fixed = lazy.now();
      this.found.push(realize(t).then(() => []));
      this.expected.push([]);
    } else {
      this.#flush();
      this.expected.push(x.now());
      this.found.push(x.tensor.data());
      for (const [t, lazy] of this.lazy) if (t === x.tensor) lazy.fixed = lazy.now();
    }
  }

  /** A compiled step on a value: all of its reads see the old values of the parameters. */
  #run(x: { tensor: Tensor; now: () => Values }): void {
    this.#flush();
    const given = x.now();
    for (const [t, lazy] of this.lazy) if (t === x.tensor) lazy.fixed = given;
    const [p, q] = this.plain;
    this.expected.push(p.map((v, i) => v + q[i] + given[i]));
    this.plain[0] = q.map((v, i) => (v + given[i]) % 64);
    this.plain[1] = p;
    this.found.push(this.#step(x.tensor).then((t) => t.data()));
  }
}

const runs = Number(process.env.NUM_SEQUENCES ?? 150);
const seed = Number(process.env.SEED ?? 1);
const native = nativeDevice();
const [js, wasm, late] = [new JsBackend(), new WasmBackend({ threads: 1, poison: true }), new LateBackend()];
const devices: Record<string, readonly Backend[]> = {
  js: [js],
  wasm: [wasm],
  late: [late],
  "js, wasm and late by turns": [js, wasm, late],
  ...(native === undefined ? {} : { "all, and native": [wasm, native, js] }),
};

describe.each(Object.entries(devices))("%s", (_, backends) => {
  test("as the model", { timeout: 120_000 }, async () => {
    const property = fc.asyncProperty(sequences, async (actions) => {
      device(backends[0]);
      const worlds = new Worlds(backends);
      for (const action of actions) worlds.act(action);
      for (const kind of [7, 7, 7].keys()) worlds.act({ kind: 7, a: kind, b: 0, f: 0 });
      const found = (await Promise.all(worlds.found)).map((v) => Array.from(v));
      expect(found).toEqual(worlds.expected.map((v) => [...v]));
    });
    await fc.assert(property, { seed, numRuns: backends.includes(native!) ? Math.ceil(runs / 10) : runs });
  });
});
