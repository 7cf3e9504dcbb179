// The data room: data sets as batches of tensors, and the readers of their files.

export { FormatError } from "../graph/format-error.ts";
export type { FileSource } from "../io/source.ts";
export { type BucketOptions, buckets } from "./bucketing.ts";
export { BytePairs, type BytePairsJson, type Merge } from "./byte-pairs.ts";
export { type CifarOptions, cifar10, decodeCifar, readCifar } from "./cifar10.ts";
export { type ColorAxes, colorAxes } from "./color-axes.ts";
export { type ColorJitterOptions, colorJitter } from "./color-jitter.ts";
export { type CorpusOptions, ptb, tinyShakespeare } from "./corpus.ts";
export { type CountedText, type CountOptions, countWords } from "./counted-text.ts";
export { type CurvesOptions, curves, drawCurve } from "./curves.ts";
export { cutout } from "./cutout.ts";
export type { DataOptions } from "./data-file.ts";
export { type Batch, Dataset, type Position } from "./dataset.ts";
export { decodeImage, type Image, type ImageSource } from "./decode-image.ts";
export { type DownloadOptions, download, type Progress, type Remote, stderrProgress } from "./download.ts";
export type { Fit } from "./fit-image.ts";
export { drawGlyph, type GlyphOptions, glyphs } from "./glyphs.ts";
export { type HuffmanPath, huffmanPaths } from "./huffman.ts";
export { decodeIdx, encodeIdx, type Idx, type IdxArray, type IdxOptions, readIdx } from "./idx.ts";
export { readImage } from "./image.ts";
export { type ImageFolderOptions, imageFolder } from "./image-folder.ts";
export { mixup } from "./mixup.ts";
export { fashionMnist, mnist, type Split } from "./mnist.ts";
export { type PairTask, type PairTaskOptions, pairTask } from "./pair-tasks.ts";
export { type PcaNoiseOptions, pcaNoise } from "./pca-noise.ts";
export { type RandomStream, randomStream } from "./random.ts";
export { type RandomCropOptions, randomCrop } from "./random-crop.ts";
export { randomFlip } from "./random-flip.ts";
export { type RandomResizedCropOptions, randomResizedCrop } from "./random-resized-crop.ts";
export { randomShift } from "./random-shift.ts";
export type {
  BatchFunction,
  MapFunction,
  MapResult,
  RawBatch,
  Sample,
  SampleInfo,
  Samples,
  Statistics,
} from "./samples.ts";
export { mr, type SentenceOptions, sst, trec } from "./sentences.ts";
export { type EncodedPairs, type Pair, type PairBatch, SequencePairs, targetTokens } from "./sequence-pairs.ts";
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
export { WordContexts, type WordTensors, wordsRead, wordTensors } from "./word-contexts.ts";
export {
  type Analogy,
  readAnalogies,
  readSimilarities,
  type Similarity,
  wordAnalogies,
  wordSim353,
} from "./word-questions.ts";
export { text8, textFile, type WordTextOptions } from "./word-text.ts";
export { keepShares, type WordBatch, type WordWindowOptions, wordWindows } from "./word-windows.ts";
