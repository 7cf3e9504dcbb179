// The native backend for tests: every program is compiled, however small it is, and what falls back to WebAssembly is a failure.
import { afterAll, expect, vi } from "vitest";
import { NativeBackend } from "../src/backend/native/index.ts";

/** One in so many cases runs on it by default: a C compiler takes its time. NATIVE_CASES=1 (`npm run test:native`) runs all. */
export const nativeEvery: number = Number(process.env.NATIVE_CASES ?? 12);

/** Whether a case is one of those. */
export const isSampled = (index: number): boolean => index % nativeEvery === 0;

/** The backend, and a check at the end of the file that nothing fell back; without a compiler undefined, which is said. */
export function nativeDevice(): NativeBackend | undefined {
  const native = new NativeBackend({ threads: 1, leastWork: [0, 0], poison: true });
  try {
    native.compiler();
  } catch (error) {
    console.log(`native is left out: ${(error as Error).message}`);
    return undefined;
  }
  const fallbacks: string[] = [];
  const warn = vi.spyOn(console, "warn").mockImplementation((line) => fallbacks.push(String(line)));
  afterAll(() => {
    warn.mockRestore();
    expect(fallbacks, "native code that does not compile").toEqual([]);
    expect(native.name).toBe("native");
  });
  return native;
}
