// What a bundle for browsers has in the place of the native backend (`browser` of package.json): there is no C compiler.
import type { NativeOptions } from "./index.ts";

/** False, so that nothing chooses native code by itself. */
export const hasCompiler = (): boolean => false;

/** Throws one line when it is made. */
export class NativeBackend {
  constructor(_options: NativeOptions = {}) {
    throw new Error('device: "native" needs a C compiler, which no browser has; choose "wasm"');
  }
}
