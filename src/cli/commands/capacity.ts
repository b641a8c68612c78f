import { Command, Option } from 'commander';
import { keepProcess, sleep, systemClock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import type { AskedEnvoy, EnvoyReading, LoadReading } from '../capacity/group-load.ts';
import { helpEnd } from '../help-end.ts';
import { addAddress } from '../options/address.ts';
import { durationOption } from '../options/duration.ts';
import { dataText, isData, type OutputFormat, outputOption } from '../options/output.ts';

interface Flags {
  readonly envoy: readonly ListenAddress[];
  /** Milliseconds. */
  readonly for: number;
  readonly output: OutputFormat;
}

/** Interval and timeout of readings, in milliseconds. */
const [lookMs, answerMsMax] = [250, 5_000];

/** `isthmus capacity`: requests in flight to instances, from Envoys' statistics. */
export function capacityCommand(): Command {
  return new Command('capacity')
    .summary('show how many requests instances have in flight, to declare their capacity')
    .description(
      'Read from the admin interfaces of Envoys how many requests they have in flight to the instances of each Group; show the most seen for each instance, and how to declare it: `capacity.concurrentPerInstance` limits what an IDC takes from others. Read all sidecars and ingress gateways of an IDC, when it is busiest. Ctrl-C shows what was seen until then.',
    )
    .addOption(
      new Option(
        '--envoy <host:port>',
        'admin address of an Envoy of the IDC, as `isthmus bootstrap --admin` set it; repeat for more, or several by comma',
      )
        .env('ISTHMUS_ENVOY')
        .argParser((text: string, list: readonly ListenAddress[] | undefined) => addAddress(text, list))
        .makeOptionMandatory(),
    )
    .addOption(
      durationOption('--for <duration>', 'how long to measure, four times a second', '10s', {
        minMs: 1_000,
        maxMs: 24 * 3_600_000,
      }),
    )
    .addOption(
      outputOption(
        'output format; wide: idle Groups in the table, too, with the rate and what makes figures doubtful',
      ),
    )
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 shown; 1 nothing can be declared: no Group was busy; 2 an Envoy does not answer, or is not of a mesh; 130 interrupted: what was seen until then is shown.',
        examples: ['isthmus capacity --envoy 10.1.0.1:15000 --envoy 10.1.0.21:15000 --for 10m'],
      }),
    )
    .action(show);
}

async function show({ envoy: admins, for: forMs, output }: Flags): Promise<void> {
  const { summarizeLoad } = await import('../capacity/group-load.ts');
  const { loadText, suggestedCapacities } = await import('../capacity/capacity-text.ts');
  const { identifyProxy } = await import('../envoys/proxy-reader.ts');
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  const envoys = await Promise.all(admins.map((admin) => identifyProxy(admin, answerMsMax)));
  const looks: (readonly EnvoyReading[])[] = [];
  const missed = new Map<string, number>();
  const began = systemClock.now();
  // Timers of the clock do not keep the process alive.
  const letEnd = keepProcess();
  process.once('SIGINT', interrupt);
  try {
    do {
      const look = await Promise.all(envoys.map(({ admin, ...envoy }) => lookAt(admin, envoy)));
      for (const { id, groups } of look) if (groups === undefined) missed.set(id, (missed.get(id) ?? 0) + 1);
      looks.push(look);
      await sleep(systemClock, lookMs, stop.signal).catch(() => {});
    } while (systemClock.now() - began < forMs && !stop.signal.aborted);
  } finally {
    process.removeListener('SIGINT', interrupt);
    letEnd();
  }
  const seen = summarizeLoad(looks);
  const seconds = Math.round((systemClock.now() - began) / 1_000);
  const asked = envoys.map(({ id, role, idc }): AskedEnvoy => ({ id, role, idc }));
  const whole = { seconds, looks: looks.length, envoys: asked };
  process.stdout.write(
    isData(output)
      ? dataText({ ...whole, missed: Object.fromEntries(missed), groups: seen }, output)
      : loadText(seen, { ...whole, missed }, output),
  );
  if (stop.signal.aborted) process.exitCode = exitCode.interrupted;
  else if (suggestedCapacities(seen).length === 0) process.exitCode = exitCode.failed;
}

/** One reading of an Envoy; one that does not answer is missing in it. */
async function lookAt(admin: ListenAddress, envoy: AskedEnvoy): Promise<EnvoyReading> {
  try {
    return { ...envoy, groups: await ask(admin) };
  } catch {
    return envoy;
  }
}

async function ask(at: ListenAddress): Promise<LoadReading[]> {
  const { loadStats, readLoad } = await import('../capacity/group-load.ts');
  const { callHttp } = await import('../../client/answers/http-call.ts');
  const path = `/stats?filter=${encodeURIComponent(loadStats)}`;
  const { status, text } = await callHttp({ at, path, silenceMsMax: answerMsMax });
  if (status === 200) return readLoad(text);
  throw new MeshError('unavailable', `the Envoy at ${showAddress(at)} answers ${status}`);
}
