// word2vec: losses and steps against slow obvious ones, Huffman's code, windows, planted structure, and what vectors are judged by.
import { expect, test } from "vitest";
import { AliasTable } from "../../src/data/alias-table.ts";
import {
  countWords,
  huffmanPaths,
  keepShares,
  randomStream,
  readAnalogies,
  readSimilarities,
  wordTensors,
  wordWindows,
} from "../../src/data/index.ts";
import { grad, tensor } from "../../src/graph/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { signedLoss, Word2Vec, WordVectors, word2vec } from "../../src/zoo/index.ts";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

test("the loss and its gradients are those of the formula, in doubles", async () => {
  const next = randomStream(3);
  const draw = (n: number): Float64Array => Float64Array.from({ length: n }, () => next() / 2 ** 31 - 1);
  const [P, T, D] = [3, 4, 5];
  const [h, u] = [draw(P * D), draw(P * T * D)];
  const s = Float64Array.from([1, -1, -1, 0, 1, 1, -1, 1, -1, -1, 0, 0]);
  const [th, tu] = [tensor(h, [P, D]), tensor(u, [P, T, D])];
  const loss = signedLoss(th, tu, tensor(s, [P, T]));
  const [dh, du] = grad(loss, [th, tu]);
  let expected = 0;
  const [gh, gu] = [new Float64Array(P * D), new Float64Array(P * T * D)];
  for (let p = 0; p < P; p++)
    for (let t = 0; t < T; t++) {
      const sign = s[p * T + t];
      if (sign === 0) continue;
      let score = 0;
      for (let d = 0; d < D; d++) score += h[p * D + d] * u[(p * T + t) * D + d];
      expected -= Math.log(sigmoid(sign * score));
      for (let d = 0; d < D; d++) {
        gh[p * D + d] -= sign * sigmoid(-sign * score) * u[(p * T + t) * D + d];
        gu[(p * T + t) * D + d] -= sign * sigmoid(-sign * score) * h[p * D + d];
      }
    }
  expect(await loss.item()).toBeCloseTo(expected, 12);
  (await dh.data()).forEach((g, i) => {
    expect(g).toBeCloseTo(gh[i], 12);
  });
  (await du.data()).forEach((g, i) => {
    expect(g).toBeCloseTo(gu[i], 12);
  });
});

test.each([undefined, Float32Array.of(0.5, 0.5, 1, 0)])(
  "a step moves the named rows alone, repeated ones twice",
  async (weights) => {
    const [words, features, lr] = [6, 3, 0.5];
    const model = new Word2Vec(words, { features, seed: 4 });
    const optimizer = sgd(model, model, { lr, sparse: true });
    const windows = {
      inputs: weights ? Int32Array.of(1, 4, 1, 0) : Int32Array.of(1, 1),
      weights,
      outputs: Int32Array.of(2, 5, 2, 2),
      signs: Float32Array.of(1, -1, 1, -1),
      examples: 2,
      progress: 0,
    };
    const width = windows.inputs.length / 2;
    for (let round = 0; round < 3; round++) {
      const [a, b] = [Float64Array.from(await model.input.data()), Float64Array.from(await model.output.data())];
      const [wantA, wantB] = [a.slice(), b.slice()];
      let total = 0;
      for (let p = 0; p < 2; p++) {
        const share = (k: number): number => weights?.[p * width + k] ?? 1;
        const h = Array.from({ length: features }, (_, d) => {
          let sum = 0;
          for (let k = 0; k < width; k++) sum += share(k) * a[windows.inputs[p * width + k] * features + d];
          return sum;
        });
        for (let t = 0; t < 2; t++) {
          const [row, sign] = [windows.outputs[p * 2 + t], windows.signs[p * 2 + t]];
          const score = h.reduce((sum, x, d) => sum + x * b[row * features + d], 0);
          const g = lr * sign * sigmoid(-sign * score);
          total -= Math.log(sigmoid(sign * score));
          for (let d = 0; d < features; d++) {
            wantB[row * features + d] += g * h[d];
            for (let k = 0; k < width; k++)
              wantA[windows.inputs[p * width + k] * features + d] += g * share(k) * b[row * features + d];
          }
        }
      }
      const loss = await optimizer.step(wordTensors(windows, 2));
      expect(loss).toBeCloseTo(total / 2, 5);
      for (const [found, wanted] of [
        [await model.input.data(), wantA],
        [await model.output.data(), wantB],
      ])
        found.forEach((value, i) => {
          expect(value).toBeCloseTo(wanted[i], 6);
        });
    }
  },
);

test("Huffman's code has the least length and is a prefix code", () => {
  const counts = [45, 13, 12, 16, 9, 5]; // Cormen et al., 16.3: 224 bits
  const paths = huffmanPaths(counts);
  expect(paths.reduce((sum, { code }, i) => sum + counts[i] * code.length, 0)).toBe(224);
  const codes = paths.map(({ code }) => code.join(""));
  for (const a of codes) expect(codes.filter((b) => b.startsWith(a))).toEqual([a]);
  const turns = new Map<string, string>(); // a node's number stands for one prefix
  for (const { nodes, code } of paths)
    nodes.forEach((node, k) => {
      const prefix = code.slice(0, k).join("");
      expect(turns.get(`${node}`) ?? prefix).toBe(prefix);
      turns.set(`${node}`, prefix);
    });
  expect([...turns.keys()].sort()).toEqual(["0", "1", "2", "3", "4"]);
  expect(huffmanPaths([7])[0].code.length).toBe(0);
  expect(() => huffmanPaths([])).toThrow("huffmanPaths: there are no counts");
  expect(() => huffmanPaths([1, -1])).toThrow("count 1 must be a finite number");
});

test("draws come as often as their weights say, those of weight 0 never", () => {
  const table = new AliasTable([1, 0, 3, 6]);
  const found = [0, 0, 0, 0];
  const next = randomStream(1);
  for (let i = 0; i < 100_000; i++) found[table.draw(next)]++;
  expect(found[1]).toBe(0);
  [0.1, 0, 0.3, 0.6].forEach((p, i) => {
    expect(Math.abs(found[i] / 1e5 - p)).toBeLessThan(0.007); // 4.5 standard deviations
  });
  expect(() => new AliasTable([0])).toThrow("no weight is above 0");
});

test("frequent words are passed over with probability 1 − √(t / f)", () => {
  const shares = keepShares([90, 9, 1], 0.04);
  [Math.sqrt(0.04 / 0.9), Math.sqrt(0.04 / 0.09), 1].forEach((share, i) => {
    expect(shares[i]).toBeCloseTo(share, 14);
  });
  const text = countWords([Array.from({ length: 40_000 }, (_, i) => (i % 10 === 0 ? "b" : "a"))]);
  let kept = 0; // a window of 1 gives each word but the ends two pairs
  for (const { examples } of wordWindows(text, { window: 1, subsample: 0.04 })) kept += examples / 2;
  const expected = 36_000 * Math.sqrt(0.04 / 0.9) + 4000 * Math.sqrt(0.04 / 0.1);
  expect(Math.abs(kept - expected)).toBeLessThan(5 * Math.sqrt(expected));
});

/** Sentences "x1 y1 x1 z1 …" of one of five topics each: words of a topic only ever stand together. */
const topics = (): string[][] => {
  const next = randomStream(9);
  return Array.from({ length: 600 }, () => {
    const topic = next() % 5;
    return Array.from({ length: 12 }, () => `${"vwxyz"[next() % 5]}${topic}`);
  });
};

test.each([
  ["skip-gram", "negative"],
  ["skip-gram", "hierarchical"],
  ["cbow", "negative"],
  ["cbow", "hierarchical"],
] as const)(
  "%s, %s: neighbours are the words of the same topic; the same from the same seed",
  async (architecture, objective) => {
    const text = countWords(topics());
    const train = (seed: number): Promise<WordVectors> =>
      word2vec(text, {
        architecture,
        objective,
        features: 16,
        subsample: 0,
        epochs: 4,
        batch: 32,
        lr: 0.1,
        window: 3,
        seed,
      });
    const vectors = await train(1);
    for (const word of vectors.words)
      expect(vectors.nearest(word, 4).map((near) => near.word[1])).toEqual(new Array(4).fill(word[1]));
    expect((await train(1)).values).toEqual(vectors.values);
    expect((await train(2)).values).not.toEqual(vectors.values);
  },
);

test("neighbours, analogies and similarity as computed by hand", async () => {
  const rows = [
    [1, 0],
    [0, 2],
    [1, 1],
    [-3, 0],
    [0.9, 0.1],
  ];
  const vectors = new WordVectors(["a", "b", "c", "d", "e"], Float32Array.from(rows.flat()), 2);
  expect(vectors.nearest("a", 3).map((n) => n.word)).toEqual(["e", "c", "b"]);
  expect(vectors.cosine("a", "c")).toBeCloseTo(Math.SQRT1_2, 6);
  expect(vectors.nearest(Float32Array.of(0, 1), 1)[0].word).toBe("b");
  // b − a + c = (−0.29, 1.71): nearest is b, which is one of the three, then of d (0.17) and e (−0.06) d
  const questions = readAnalogies(": one\nA b c d\na b c e\n: two\na b c missing\n");
  expect(await vectors.analogies(questions)).toEqual({
    sections: [
      { section: "one", correct: 1, asked: 2 },
      { section: "two", correct: 0, asked: 0 },
    ],
    correct: 1,
    asked: 2,
    accuracy: 0.5,
  });
  // cosines: ae 0.99, ac 0.71, ab 0, ad −1; people's ranks 3.5 3.5 2 1 against 4 3 2 1: ρ = 4.5 / √(4.5 · 5)
  const pairs = readSimilarities("Word 1,Word 2,Human\na,e,9\na,c,9\na,b,5,x\na,d,1\na,q,3\n");
  const { rho, pairs: count } = vectors.similarity(pairs);
  expect(rho).toBeCloseTo(4.5 / Math.sqrt(4.5 * 5), 6);
  expect(count).toBe(4);
});

test("what is wrong is named", () => {
  const text = countWords([["a", "b", "a"]], { least: 1 });
  const run = (options: object) => () => wordWindows(text, options).next();
  expect(run({ window: 0 })).toThrow("wordWindows: window is a whole number of at least 1, got 0");
  expect(run({ negatives: 1.5 })).toThrow("negatives is a whole number");
  expect(run({ subsample: -1 })).toThrow("subsample is a frequency");
  expect(run({ architecture: "bag" })).toThrow('not "bag"');
  expect(run({ objective: "softmax" })).toThrow('not "softmax"');
  expect(() => countWords([["a"]])).toThrow("no word comes 5 times");
  expect(() => new Word2Vec(0)).toThrow("words is a whole number");
  const vectors = new WordVectors(["a"], Float32Array.of(1), 1);
  expect(() => vectors.vector("z")).toThrow('"z" is not one of its 1 words');
  expect(() => new WordVectors(["a"], Float32Array.of(1, 2), 1)).toThrow("got 2 values");
  expect(() => readAnalogies(": s\na b c\n")).toThrow("line 2: expected four words");
  expect(() => readSimilarities("h\na,b,x\n")).toThrow('line 2: expected "word,word,score"');
});
