// What most users import: tensors, derivatives, randomness, compiled steps.
export * from "./graph/index.ts";
export * from "./run/index.ts";
