import { type Clock, keepProcess, systemClock } from '../../base/clock.ts';
import { exitCode } from '../../base/exit.ts';
import { systemRandom } from '../../base/random.ts';
import { printable } from '../../base/text/safe-excerpt.ts';
import { createKubeClient } from '../../kube/kube-client.ts';
import { propagated } from '../../model/values/pod-names.ts';
import {
  type FinalizedKind,
  findFinalized,
  type ReleaseContext,
  releaseAll,
} from '../../registry/kubernetes/release-all.ts';
import { stopOnSignals } from '../process/stop-signals.ts';
import { type ClusterFlags, clusterAccess } from './cluster-access.ts';

/** The flags of `isthmus release-finalizers`. */
export interface ReleaseFlags extends ClusterFlags {
  readonly namespace?: string;
  readonly yes?: boolean;
}

/** Where it writes. */
interface ReleaseStreams {
  out(line: string): void;
  err(line: string): void;
}

/** Interval of words about progress, and about one trouble, in milliseconds. */
const progressMs = 2_000;

/**
 * Takes the finalizer off all objects of a cluster, with --yes; without it tells which there are. Returns the
 * exit code; rejects with MeshError if the API server refuses, or cannot be reached.
 */
export async function runReleaseFinalizers(flags: ReleaseFlags, streams: ReleaseStreams): Promise<number> {
  const clock = systemClock;
  const client = createKubeClient(clusterAccess(flags, clock), { clock });
  const { signal, end } = stopOnSignals('what was released stays so');
  const letEnd = keepProcess();
  const { namespace } = flags;
  const onTrouble = atIntervals(clock, (error: Error) => {
    streams.err(`${printable(error.message)}; it is tried again`);
  });
  const context = { client, clock, random: systemRandom, namespace, signal, onTrouble };
  try {
    const found = await findFinalized(context);
    for (const line of foundLines(found, client.server)) streams.out(line);
    if (found.length === 0) return exitCode.ok;
    if (flags.yes === true) return await release(found, context, streams);
    streams.out('Nothing was changed. With --yes it is taken off all of them.');
    return exitCode.ok;
  } catch (reason) {
    if (!signal.aborted) throw reason;
    streams.err('Interrupted: what was released stays so. Run it again for the rest.');
    return exitCode.interrupted;
  } finally {
    end();
    client.close();
    letEnd();
  }
}

async function release(
  found: readonly FinalizedKind[],
  context: ReleaseContext,
  { out, err }: ReleaseStreams,
): Promise<number> {
  const all = countOf(found);
  let done = 0;
  const tell = atIntervals(context.clock, () => err(`${done} of ${all} done`), context.clock.now());
  await releaseAll(found, context, () => {
    done += 1;
    tell();
  });
  // Who adds it goes on doing so: what matters is what there is in the end.
  const left = await findFinalized(context);
  if (left.length === 0) {
    out(`Taken off ${objects(all)}: none has it any more.`);
    return exitCode.ok;
  }
  out(
    `${countOf(left) === 1 ? '1 object has' : `${countOf(left)} objects have`} it again, after it was taken off ${all}. Something adds it: end registrars and control planes with --remotes first, then run this again.`,
  );
  return exitCode.failed;
}

function foundLines(found: readonly FinalizedKind[], server: string): readonly string[] {
  if (found.length === 0) return [`${server}: no object has the finalizer ${propagated}.`];
  return [
    `${server}: objects with the finalizer ${propagated}:`,
    ...found.map(({ kind, objects, leaving }) => {
      const deleted = leaving === 0 ? '' : `, ${leaving} of them being deleted: these end without it`;
      return `  ${kind}: ${objects.length}${deleted}`;
    }),
  ];
}

function countOf(found: readonly FinalizedKind[]): number {
  return found.reduce((sum, { objects }) => sum + objects.length, 0);
}

function objects(count: number): string {
  return count === 1 ? '1 object' : `${count} objects`;
}

/** Lets a call through when none was for a while, from `since` on. */
function atIntervals<T extends readonly unknown[]>(
  clock: Clock,
  call: (...args: T) => void,
  since = Number.NEGATIVE_INFINITY,
) {
  let last = since;
  return (...args: T): void => {
    if (clock.now() - last < progressMs) return;
    last = clock.now();
    call(...args);
  };
}
