// Layers side by side: a body and what goes round it, and branches whose outputs are put together.
import { concat, type Tensor, within } from "../graph/index.ts";
import { fail, sameShape, show } from "../graph/internal.ts";
import { nameModules } from "./module.ts";
import { apply, checkPart, type Part } from "./sequential.ts";

/**
 * y = body(x) + shortcut(x), where the shortcut is by default x itself (He et al., Deep residual learning, 2016); names read
 * "body.…" and "shortcut.…". Throws where the two give different shapes.
 */
export class Residual {
  body: Part;
  shortcut: Part | undefined;

  constructor(body: Part, shortcut?: Part) {
    checkPart("Residual", body, "body");
    if (shortcut !== undefined) checkPart("Residual", shortcut, "shortcut");
    this.body = body;
    this.shortcut = shortcut;
    nameModules(this);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const y = apply("Residual", this.body, "body", x);
      const past = this.shortcut === undefined ? x : apply("Residual", this.shortcut, "shortcut", x);
      if (!sameShape(y.shape, past.shape))
        fail(
          "residual",
          `the body gave ${show(y.shape)} and the shortcut ${show(past.shape)}; give a shortcut that fits`,
        );
      return y.add(past);
    });
  }
}

/**
 * Applies each branch to x and puts their outputs together along an axis, by default that of the channels, as the modules of
 * GoogLeNet do (Szegedy et al., 2015); names read "0.…", "1.…". Throws where outputs differ along another axis.
 */
export class Parallel {
  readonly [index: number]: Part;
  readonly length: number;
  readonly axis: number;

  constructor(branches: readonly Part[], { axis = 1 }: { axis?: number } = {}) {
    if (branches.length === 0) fail("Parallel", "needs at least one branch");
    branches.forEach((part, i) => {
      checkPart("Parallel", part, i);
    });
    Object.assign(this, branches);
    this.length = branches.length;
    this.axis = axis;
    nameModules(this);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () =>
      concat(
        Array.from({ length: this.length }, (_, i) => apply("Parallel", this[i], i, x)),
        this.axis,
      ),
    );
  }
}
