// The machine's limits, measured by a small C program, and what a row needs at least of its arithmetic and its memory.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * By thread count (index 1 and 2): GFLOP/s of fused multiply-adds (`native`) and of 128-bit multiplications followed by additions
 * (`wasm`), and GB/s of a triad (`memory`). { problem } where there is no C compiler.
 */
export function measureLimits() {
  const folder = mkdtempSync(join(tmpdir(), "hebb-roofline-"));
  try {
    const program = join(folder, "roofline");
    const source = fileURLToPath(new URL("roofline.c", import.meta.url));
    execFileSync(process.env.CC || "cc", ["-O3", "-march=native", "-pthread", "-o", program, source], {
      stdio: "pipe",
    });
    return [1, 2].reduce((limits, threads) => {
      const [native, wasm, memory] = execFileSync(program, [String(threads)], { encoding: "utf8" })
        .split(" ")
        .map(Number);
      limits[threads] = { native, wasm, memory };
      return limits;
    }, []);
  } catch (error) {
    return { problem: String(error.message).split("\n")[0] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds that a row takes at least on a machine with these limits. */
export const leastTime = ({ flops = 0, bytes = 0 }, { memory }, peak) => Math.max(flops / peak, bytes / memory) / 1e6;
