import type { ScenarioSpec } from './document.ts';

/** What a scenario's negative control runs: what it does not change is the scenario's own. */
export function controlledSpec(spec: ScenarioSpec): ScenarioSpec {
  const { control, quick } = spec;
  // A length that the control states holds with `quick`, too.
  const short = Object.entries(quick ?? {}).filter(([name]) => !Object.hasOwn(control?.phases ?? {}, name));
  return {
    ...spec,
    world: { ...spec.world, ...control?.world },
    rates: { ...spec.rates, ...control?.rates },
    load: control?.load ?? spec.load,
    phases: { ...spec.phases, ...control?.phases },
    ...(quick && { quick: Object.fromEntries(short) }),
    steps: control?.steps ?? spec.steps,
  };
}
