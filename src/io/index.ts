// hebb/io: files of tensors.
export { FormatError } from "../graph/format-error.ts";
export { parseNpy, readNpy, serializeNpy, writeNpy } from "./npy.ts";
export { type RawDType, type RawTensor, type TypedArray, toFloat32 } from "./raw-tensor.ts";
export {
  type NamedTensors,
  parseSafetensors,
  readSafetensors,
  type Safetensors,
  type SafetensorsOptions,
  serializeSafetensors,
  writeSafetensors,
} from "./safetensors.ts";
export type { FileSource } from "./source.ts";
export {
  parseWordVectors,
  readWordVectors,
  serializeWordVectors,
  type WordVectorFormat,
  type WordVectorTable,
  writeWordVectors,
} from "./word-vector-file.ts";
