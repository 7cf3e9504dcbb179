// The classical room: methods without layers, of which learned ones have to be better.
export { type Kernel, polynomialKernel, rbfKernel } from "./kernel.ts";
export { KernelPca, type KernelPcaOptions, kernelPca, type PreimageOptions } from "./kernel-pca.ts";
export { Pca, type PcaOptions, pca } from "./pca.ts";
export { type Eigen, symmetricEigen } from "./symmetric-eigen.ts";
