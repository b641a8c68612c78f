import { sleep } from '../../../base/clock.ts';
import { machineClock } from '../../time.ts';
import { askAdmin } from '../../world/envoy.ts';
import type { Stage } from '../../world/stage.ts';
import { hostOf, type IdcPlan, type ProxyPlan } from '../../world/topology.ts';

/** Watches the endpoints of a Group at the proxies of an IDC that use it. */
interface EndpointWatch {
  /** The fewest endpoints that any proxy had since the last call, and how often it was looked. */
  takeFewest(): { readonly fewest: number; readonly looks: number };
  /** When all proxies have this weight at every endpoint; NaN when not by `deadlineMs`. */
  weightEverywhere(weight: number, deadlineMs: number): Promise<number>;
  /** Proxies of which one endpoint at least has this weight now. */
  having(weight: number): readonly string[];
  stop(): void;
}

const everyMs = 100;

/**
 * Begins to watch a Group's endpoints at the caller and the ingresses of `idc`, by what their Envoys say they
 * have.
 */
export function watchEndpoints(stage: Stage, idc: IdcPlan, group: string): EndpointWatch {
  const plan = stage.topology.groups.find(({ name }) => name === group);
  if (plan === undefined) throw new RangeError(`there is no Group ${group}`);
  const cluster = `instances/${hostOf(stage.topology, plan)}:`;
  const proxies: readonly ProxyPlan[] = [...idc.ingress, idc.caller];
  const weights = new Map<string, readonly number[]>();
  let fewest = Number.POSITIVE_INFINITY;
  let looks = 0;
  let stopped = false;

  async function look(proxy: ProxyPlan): Promise<void> {
    while (!stopped) {
      try {
        const found = weightsIn(await askAdmin(proxy.admin, '/clusters'), cluster);
        weights.set(proxy.name, found);
        fewest = Math.min(fewest, found.length);
        looks += 1;
      } catch {
        // Busy: wait for the next reading.
      }
      await sleep(machineClock, everyMs, stage.signal).catch(() => {
        stopped = true;
      });
    }
  }

  for (const proxy of proxies) void look(proxy);
  return {
    takeFewest() {
      const seen = { fewest, looks };
      fewest = Number.POSITIVE_INFINITY;
      looks = 0;
      return seen;
    },
    async weightEverywhere(weight, deadlineMs) {
      const all = () =>
        proxies.every(({ name }) => {
          const found = weights.get(name) ?? [];
          return found.length > 0 && found.every((one) => one === weight);
        });
      while (!all()) {
        if (machineClock.now() > deadlineMs) return Number.NaN;
        await sleep(machineClock, 10, stage.signal);
      }
      return machineClock.now();
    },
    having: (weight) => [...weights].filter(([, found]) => found.includes(weight)).map(([name]) => name),
    stop() {
      stopped = true;
    },
  };
}

/** The weights of a cluster's endpoints, in the text of Envoy's admin page `/clusters`. */
export function weightsIn(text: string, cluster: string): number[] {
  return text.split('\n').flatMap((line) => {
    const weight = line.startsWith(cluster) ? /::weight::(\d+)$/.exec(line)?.[1] : undefined;
    return weight === undefined ? [] : [Number(weight)];
  });
}
