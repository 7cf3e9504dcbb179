// The data room: data sets as batches of tensors, and the readers of their files.

export { FormatError } from "../graph/format-error.ts";
export type { FileSource } from "../io/source.ts";
export { type BucketOptions, buckets } from "./bucketing.ts";
export { BytePairs, type BytePairsJson, type Merge } from "./byte-pairs.ts";
export { type CifarOptions, cifar10, decodeCifar, readCifar } from "./cifar10.ts";
export { type CorpusOptions, ptb, tinyShakespeare } from "./corpus.ts";
export type { DataOptions } from "./data-file.ts";
export { type Batch, Dataset, type Position } from "./dataset.ts";
export { type DownloadOptions, download, type Progress, type Remote, stderrProgress } from "./download.ts";
export { drawGlyph, type GlyphOptions, glyphs } from "./glyphs.ts";
export { decodeIdx, encodeIdx, type Idx, type IdxArray, type IdxOptions, readIdx } from "./idx.ts";
export { type ImageSource, readImage } from "./image.ts";
export { fashionMnist, mnist, type Split } from "./mnist.ts";
export { type RandomStream, randomStream } from "./random.ts";
export { randomShift } from "./random-shift.ts";
export type { MapFunction, MapResult, RawBatch, Sample, SampleInfo, Samples, Statistics } from "./samples.ts";
export { mr, type SentenceOptions, sst, trec } from "./sentences.ts";
export { type EncodedPairs, type Pair, type PairBatch, SequencePairs } from "./sequence-pairs.ts";
export type { Streams } from "./streams.ts";
export {
  addingProblem,
  additionTask,
  binaryAddition,
  copyTask,
  mergeTask,
  parityTask,
  reverseTask,
  type SymbolOptions,
  searchTask,
  sortTask,
  type TaskOptions,
} from "./tasks.ts";
export {
  encodeCharacters,
  pad,
  tokenize,
  Vocabulary,
  type VocabularyJson,
  type VocabularyOptions,
} from "./text.ts";
export { cmnEng, multi30k, splitCharacters, splitWords, type TranslationOptions } from "./translation.ts";
export { type TokenText, type WindowOptions, windows } from "./windows.ts";
