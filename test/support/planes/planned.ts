import { loadAll } from 'js-yaml';
import { createIndex } from '../../../src/index/store.ts';
import type { Change } from '../../../src/model/object.ts';
import { createPlanner } from '../../../src/plan/planner.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';

/** The objects of a YAML text as IDC sh-a has them, and the plans of their Groups; `nowMs`: wall time. */
export function planned(yaml: string, nowMs: number) {
  const index = createIndex({ idc: 'sh-a' });
  index.apply(
    loadAll(yaml).map((document): Change => {
      const { object, faults } = parseObject(document, 'world.yaml');
      if (object === undefined) throw new Error(JSON.stringify(faults));
      return { type: 'upsert', object, at: 0 };
    }),
  );
  const view = index.view();
  const planner = createPlanner({ localIdc: 'sh-a', hopLimit: 2, loopPrevention: 'on' });
  planner.update(view, { groups: new Set(view.groups.keys()), idcs: new Set() }, nowMs);
  return { view, plansOf: (host: string) => planner.plansOf(view, host) };
}
