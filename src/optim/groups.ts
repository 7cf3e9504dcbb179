// Groups of parameters: which of them have settings of their own.
import type { Tensor } from "../graph/index.ts";
import { kindOf } from "../graph/internal.ts";
import { checkRate, type Schedule } from "./schedule.ts";
import { checkDecay } from "./transforms.ts";

/** Settings for the parameters that match, instead of the optimizer's. Of several groups that match one parameter, the first counts. */
export interface ParameterGroup {
  /** Which parameters: a pattern that their names contain, such as /\.bias$/, or a test. */
  readonly match: RegExp | ((name: string, p: Tensor) => boolean);
  /** The group's own rate or schedule, which the optimizer's `lr` then does not change. */
  readonly lr?: number | Schedule;
  readonly weightDecay?: number;
  /** No gradient is computed, nothing is kept, and nothing moves. */
  readonly frozen?: boolean;
}

/** Each parameter's group. Throws where a group has no parameter, or all of them are frozen. */
export function groupsOf(
  parameters: ReadonlyMap<string, Tensor>,
  groups: readonly ParameterGroup[],
): Map<string, ParameterGroup | undefined> {
  for (const { match, lr, weightDecay = 0 } of groups) {
    if (!(match instanceof RegExp) && typeof match !== "function")
      throw new TypeError(`optimizer: a group's match is a pattern or a test, e.g. /bias/, got ${kindOf(match)}`);
    if (lr !== undefined && typeof lr !== "function") checkRate(lr);
    else if (lr?.feedback !== undefined)
      throw new Error("optimizer: a group's rate is told no figures; a plateau is for the optimizer's own lr");
    checkDecay(weightDecay);
  }
  const found = new Map<string, ParameterGroup | undefined>();
  for (const [name, p] of parameters)
    found.set(
      name,
      groups.find(({ match }) => (match instanceof RegExp ? name.search(match) >= 0 : match(name, p))),
    );
  const used = new Set(found.values());
  const unused = groups.findIndex((group) => !used.has(group));
  if (unused >= 0) {
    const { match } = groups[unused];
    const few = [...parameters.keys()].slice(0, 5);
    const names = `${few.map((name) => `"${name}"`).join(", ")}${parameters.size > few.length ? ", …" : ""}`;
    throw new Error(
      `optimizer: group ${unused} (${match instanceof RegExp ? match : "a test"}) has no parameter that no group before it has; there are ${names}`,
    );
  }
  if ([...found.values()].every((group) => group?.frozen))
    throw new Error("optimizer: the groups freeze every parameter, nothing is left to move");
  return found;
}
