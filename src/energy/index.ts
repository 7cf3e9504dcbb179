// The energy room: models of how probable their data are, and memories that fall into place.
export {
  type ContrastiveDivergence,
  type ContrastiveDivergenceOptions,
  contrastiveDivergence,
  hintonsGuide,
} from "./contrastive-divergence.ts";
export { DBN, type PretrainOptions, pretrain } from "./dbn.ts";
export { Hopfield, type Recalled, type RecallOptions, type Spins } from "./hopfield.ts";
export { kohonen } from "./kohonen.ts";
export { pseudoLikelihood, reconstructionError } from "./monitor.ts";
export { type AnnealingOptions, annealedImportance, logPartition, type PartitionEstimate } from "./partition.ts";
export { RBM, type RbmKind, type RbmOptions } from "./rbm.ts";
export { SOM, type SomFitOptions } from "./som.ts";
export { UntiedDBN, untie, wakeSleep } from "./wake-sleep.ts";
