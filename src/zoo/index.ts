// hebb/zoo: models of the literature, each with its paper and, where a data set of hebb is what it was made for, the recipe that trains it.
import { alexnet2012Entry, alexnetEntry } from "./alexnet.ts";
import { autoencoderEntries } from "./autoencoder-entries.ts";
import { charCnnEntry } from "./char-cnn.ts";
import { convNetEntry } from "./convnet.ts";
import { deepBeliefNetEntry } from "./deep-belief-net.ts";
import type { TranslatorEntry, WordsEntry, ZooEntry } from "./entry.ts";
import { gatedConvEntry } from "./gated-conv.ts";
import { goPolicyEntry } from "./go-policy.ts";
import { googlenetEntry, googlenetOf2015Entry } from "./googlenet.ts";
import { hopfieldEntry } from "./hopfield.ts";
import { languageEntries } from "./language-model.ts";
import { lenet1Entry } from "./lenet1.ts";
import { lenet4Entry } from "./lenet4.ts";
import { lenet5Entry, lenet5Of1998Entry } from "./lenet5.ts";
import { mlpDropoutEntry, mlpEntry, mlpWideEntry } from "./mlp.ts";
import { ninEntry, ninImageNetEntry } from "./nin.ts";
import { rbmEntry } from "./rbm.ts";
import { resnetEntries } from "./resnet.ts";
import { textLstmEntry } from "./sequence-classifier.ts";
import { sequenceRegressorEntries } from "./sequence-regressor.ts";
import { somEntry } from "./som.ts";
import { stackedAutoencoderEntry } from "./stacked-autoencoder.ts";
import { textCnnEntry } from "./text-cnn.ts";
import { gptEntry } from "./transformer.ts";
import { attentionEntry, encoderDecoderEntry, seq2seqEntry } from "./translators.ts";
import { vggEntries } from "./vgg.ts";
import { cbowEntry, skipgramEntry } from "./word-models.ts";

export { type AlexNet2012Options, type AlexNetOptions, alexnet, alexnet2012 } from "./alexnet.ts";
export {
  Autoencoder,
  type AutoencoderForm,
  type AutoencoderOptions,
  autoencoder,
  type ReconstructionError,
} from "./autoencoder.ts";
export { type AutoencoderLossOptions, autoencoderLoss, contraction, reconstructionLoss } from "./autoencoder-loss.ts";
export { type CharCnnOptions, charCnn } from "./char-cnn.ts";
export { type ConvAutoencoderOptions, convAutoencoder } from "./conv-autoencoder.ts";
export { type ConvNetOptions, convNet } from "./convnet.ts";
export { type DeepAutoencoderOptions, deepAutoencoder } from "./deep-autoencoder.ts";
export { DenseStage, type DenseStageOptions } from "./dense-stage.ts";
export type { Fitting, Recipe, Reconstructing, TranslatorEntry, WordsEntry, ZooEntry } from "./entry.ts";
export { type GatedConvOptions, gatedConv } from "./gated-conv.ts";
export {
  type Beam,
  type BeamOptions,
  beamSearch,
  type GenerateOptions,
  generate,
  type SampleOptions,
  sampleToken,
  stepped,
} from "./generate.ts";
export { goFeatures, goPlanes } from "./go-features.ts";
export { type GoPolicyOptions, goPolicy } from "./go-policy.ts";
export { GoBoard, type GoBoardOptions, type GoChains, type GoColour, type GoKoRule } from "./go-rules.ts";
export {
  type GoogLeNetOptions,
  type GoogLeNetOutput,
  googlenet,
  googlenetLoss,
  googlenetWithAuxiliary,
} from "./googlenet.ts";
export { Ham, type HamOptions, type HamRun, type HamTask, ham, hamLoss } from "./ham.ts";
export { type Access, type HardAccess, hardAccess, type SoftAccess, softAccess } from "./ham-access.ts";
export { HamMemory, type Tree as HamTree } from "./ham-memory.ts";
export {
  isStepped,
  LanguageModel,
  type LanguageModelOptions,
  languageModel,
  type SteppedModel,
} from "./language-model.ts";
export { lenet1 } from "./lenet1.ts";
export { lenet4 } from "./lenet4.ts";
export { type LeNet5Options, lenet5 } from "./lenet5.ts";
export { type MlpOptions, mlp } from "./mlp.ts";
export { type NinOptions, nin } from "./nin.ts";
export { type PretrainOptions, pretrain } from "./pretrain.ts";
export { type RecirculationOptions, recirculation } from "./recirculation.ts";
export type { RecurrentKind } from "./recurrent-kinds.ts";
export { type Decisions, type ReinforceOptions, reinforce } from "./reinforce.ts";
export { type ImageNetResNetOptions, type ResNetOptions, resnet, resnetCifar, type Shortcut } from "./resnet.ts";
export { Seq2Seq, type Seq2SeqOptions, type SourceBatch, seq2seq, type TeacherBatch } from "./seq2seq.ts";
export {
  type SequenceClassifierOptions,
  type SequenceModel,
  type SequenceTaggerOptions,
  sequenceClassifier,
  sequenceTagger,
} from "./sequence-classifier.ts";
export { type RegressorCell, type SequenceRegressorOptions, sequenceRegressor } from "./sequence-regressor.ts";
export { type TextCnnOptions, textCnn } from "./text-cnn.ts";
export { Gpt, type GptOptions, gpt } from "./transformer.ts";
export { type DecodeOptions, decode, type TranslateOptions, translate } from "./translate.ts";
export { type VggConfiguration, type VggOptions, vgg } from "./vgg.ts";
export { type AnalogyScore, type Neighbour, type SectionScore, WordVectors } from "./word-vectors.ts";
export { signedLoss, Word2Vec, type Word2VecOptions, word2vec } from "./word2vec.ts";

/** Every model of samples that can be called by name. */
export const zoo: readonly ZooEntry[] = [
  lenet1Entry,
  lenet4Entry,
  lenet5Entry,
  lenet5Of1998Entry,
  mlpEntry,
  mlpWideEntry,
  mlpDropoutEntry,
  convNetEntry,
  alexnet2012Entry,
  alexnetEntry,
  ninEntry,
  ninImageNetEntry,
  ...vggEntries,
  googlenetOf2015Entry,
  googlenetEntry,
  ...resnetEntries,
  textCnnEntry,
  textLstmEntry,
  ...sequenceRegressorEntries,
  ...languageEntries,
  gatedConvEntry,
  gptEntry,
  charCnnEntry,
  goPolicyEntry,
  ...autoencoderEntries,
  rbmEntry,
  somEntry,
  hopfieldEntry,
  deepBeliefNetEntry,
  stackedAutoencoderEntry,
];

/** Every model of pairs of sequences that can be called by name. */
export const translators: readonly TranslatorEntry[] = [seq2seqEntry, encoderDecoderEntry, attentionEntry];

/** Every model of words' vectors that can be called by name. */
export const wordModels: readonly WordsEntry[] = [skipgramEntry, cbowEntry];
