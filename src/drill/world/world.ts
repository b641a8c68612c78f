import { sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { type Crew, type RunningProcess, tailOf } from '../process/process.ts';
import { machineClock } from '../time.ts';
import { askAdmin } from './envoy.ts';
import { probeGroup } from './group-probe.ts';
import type { Part } from './parts.ts';
import {
  hostOf,
  type IdcPlan,
  isTcpGroup,
  type ProxyPlan,
  type Topology,
  tcpEntranceOf,
  type WorldGroup,
} from './topology.ts';

/** The running processes of a drill. */
export interface World {
  readonly topology: Topology;
  readonly parts: readonly Part[];
  /** Starts parts, in parallel; also those that ran before and have ended. */
  start(parts: readonly Part[]): void;
  /** The process of a part. Throws RangeError if it was never started. */
  running(part: Part): RunningProcess;
  /**
   * Resolves when the parts can do their work. Rejects with MeshError 'unavailable', and the end of the log
   * of the one that cannot.
   */
  ready(parts: readonly Part[], timeoutMs: number): Promise<void>;
  /**
   * Resolves when one request has passed on each path: to each Group from each caller and through each
   * ingress gateway, and if the world has a DR group, through each egress gateway to another IDC.
   */
  warm(timeoutMs: number): Promise<void>;
}

const pollMs = 25;

/**
 * A world of these parts, none of them started. Waiting ends with `signal`'s reason when it aborts.
 * `onRestart` is called with an Envoy that has ended, just before it starts again.
 */
export function createWorld(
  topology: Topology,
  parts: readonly Part[],
  crew: Crew,
  signal: AbortSignal,
  onRestart: (proxy: ProxyPlan) => void = () => {},
): World {
  return new ProcessesOfWorld(topology, parts, crew, signal, onRestart);
}

class ProcessesOfWorld implements World {
  readonly topology: Topology;
  readonly parts: readonly Part[];
  readonly #crew: Crew;
  readonly #signal: AbortSignal;
  readonly #onRestart: (proxy: ProxyPlan) => void;
  readonly #table = new Map<Part, RunningProcess>();

  constructor(
    topology: Topology,
    parts: readonly Part[],
    crew: Crew,
    signal: AbortSignal,
    onRestart: (proxy: ProxyPlan) => void = () => {},
  ) {
    this.topology = topology;
    this.parts = parts;
    this.#crew = crew;
    this.#signal = signal;
    this.#onRestart = onRestart;
  }

  running(part: Part): RunningProcess {
    const found = this.#table.get(part);
    if (!found) throw new RangeError(`${part.spec.name} was not started`);
    return found;
  }

  start(list: readonly Part[]): void {
    for (const part of list) {
      if (part.proxy && part.kind !== 'app' && this.#table.has(part) && !this.running(part).alive())
        this.#onRestart(part.proxy);
      this.#table.set(part, this.#crew.start(part.spec));
    }
  }

  async ready(list: readonly Part[], timeoutMs: number): Promise<void> {
    const deadline = machineClock.now() + timeoutMs;
    const failure = (part: Part, cause: string) => () => {
      const tail = tailOf(part.spec.logFile);
      return `${part.spec.name} ${cause} within ${timeoutMs / 1000} s.${tail && `\nEnd of its log:\n${tail}`}`;
    };
    await Promise.all(
      list.map((part) =>
        this.#until(failure(part, 'was not ready'), () => checkReady(part, this.topology), deadline),
      ),
    );
  }

  async warm(timeoutMs: number): Promise<void> {
    const deadline = machineClock.now() + timeoutMs;
    const paths = this.topology.idcs.flatMap((idc) => entrancesOf(this.topology, idc));
    await Promise.all(
      paths.flatMap(({ from, to, tcp, groups }) =>
        groups.map((group) => {
          const host = hostOf(this.topology, group);
          let last = '';
          const check = async () => {
            last = await probeGroup(isTcpGroup(group) ? tcp(group) : to, group, host);
            if (last !== '') throw new Error(last);
          };
          const what = () => `No request from ${from} reached ${host} in ${timeoutMs / 1000} s: ${last}`;
          return this.#until(what, check, deadline);
        }),
      ),
    );
  }

  async #until(what: () => string, check: () => Promise<unknown>, deadline: number): Promise<void> {
    for (;;) {
      try {
        await check();
        return;
      } catch (cause) {
        this.#signal.throwIfAborted();
        if (machineClock.now() > deadline) throw new MeshError('unavailable', what(), { cause });
      }
      await sleep(machineClock, pollMs, this.#signal);
    }
  }
}

/**
 * The entrances of an IDC, and the Groups that must answer there: through an egress, those of other IDCs.
 */
function entrancesOf({ groups, idcs, plan }: Topology, idc: IdcPlan) {
  const crossing = plan.crossing ?? true;
  const others = idcs.filter(({ name }) => name !== idc.name).flatMap(({ instances }) => instances);
  const elsewhere = crossing ? groups.filter((group) => others.some((each) => each.group === group)) : [];
  const here = groups.filter(
    (group) => elsewhere.includes(group) || idc.instances.some((i) => i.group === group),
  );
  const tcp = (group: WorldGroup) => tcpEntranceOf({ groups }, idc, group);
  const http = (list: readonly WorldGroup[]) => list.filter((group) => !isTcpGroup(group));
  return [
    { from: `${idc.name}/${idc.caller.name}`, to: idc.caller.outbound, tcp, groups: here },
    ...idc.ingress.map((gateway) => ({
      from: `the edge through ${idc.name}/${gateway.name}`,
      to: gateway.edge,
      tcp,
      groups: http(here),
    })),
    ...idc.egress.map((gateway) => ({
      from: `${idc.name}/${gateway.name}`,
      to: gateway.sidecar,
      tcp,
      groups: http(elsewhere),
    })),
  ];
}

/** Throws unless the part is ready. */
async function checkReady(part: Part, topology: Topology): Promise<void> {
  if (part.kind === 'control') {
    const idc = topology.idcs.find(({ name }) => name === part.idc);
    if (idc) await askAdmin(idc.controlAdmin, '/readyz');
  } else if (part.kind !== 'app' && part.proxy) {
    // Only their sidecars can reach the sockets of applications: warm-up requests show that they work.
    await askAdmin(part.proxy.admin, '/ready');
  }
}
