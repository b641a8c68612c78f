import type { Timer } from '../base/clock.ts';
import type { Failback } from '../model/idc.ts';
import type { FailbackState } from '../plan/failback.ts';
import type { GroupPlan, HealthCheck } from '../plan/types.ts';

/** An instance of a Group, and how it is asked. */
export interface CheckTarget {
  /** The Group's host. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly question: HealthCheck['question'];
  readonly isTls: boolean;
  /** It must answer within so many milliseconds. */
  readonly timeoutMs: number;
}

interface CheckHistory {
  /** Checks in a row that failed; undefined: it was never asked. */
  failures: number | undefined;
}

/** A Group that comes home little by little, as it stands. */
export interface WatchedGroup {
  readonly key: string;
  plan: GroupPlan;
  failback: Failback;
  health: HealthCheck;
  readonly instances: Map<string, { target: CheckTarget; checks: CheckHistory }>;
  state: FailbackState;
  /** What evacuations leave at home in its last plan, percent. */
  evacuated: number;
  /** What its instances worked on at once before they were evacuated: as long as they are, and come home. */
  slotsBefore: number | undefined;
  share: number | undefined;
  mirror: number | undefined;
  /** Whether an instance has ever passed. */
  hasPassed: boolean;
  round: Timer | undefined;
  tick: Timer | undefined;
}

/** What the instances of a plan work on at once; undefined: nobody has declared it. */
export function slotsOf({ instances, spill }: GroupPlan): number | undefined {
  if (spill === undefined) return undefined;
  const own = instances.filter(({ priority }) => priority === undefined);
  return own.reduce((sum, { endpoints }) => sum + endpoints.length, 0) * spill.concurrent;
}

/** Takes in which instances there are. Of one that stays, what was seen stays. */
export function updateInstances({ plan, health, instances }: WatchedGroup): void {
  const endpoints = plan.instances
    .filter(({ priority }) => priority === undefined)
    .flatMap((locality) => locality.endpoints)
    // What listens on a unix socket listens on another machine.
    .filter(({ address }) => !address.startsWith('unix://'));
  const there = new Set<string>();
  for (const endpoint of endpoints) {
    const port = health.port ?? endpoint.port;
    const name = `${endpoint.address} ${port}`;
    const { host } = plan.group;
    const { question, intervalMs } = health;
    const isTls = plan.tls !== undefined;
    const timeoutMs = 0.8 * intervalMs;
    const target = { host, address: endpoint.address, port, question, isTls, timeoutMs };
    const seen = instances.get(name)?.checks ?? { failures: undefined };
    instances.set(name, { target, checks: seen });
    there.add(name);
  }
  for (const name of instances.keys()) if (!there.has(name)) instances.delete(name);
}
