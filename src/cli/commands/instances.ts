import { Command, Option } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';
import { compareText } from '../../base/text/compare-text.ts';
import { textTable } from '../../base/text/text-table.ts';
import { refusalOf } from '../../client/api-client.ts';
import type { NamedClient } from '../../client/deregistration.ts';
import type { Answer } from '../../contract/contract.ts';
import { drainKey } from '../../model/drain.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { drainedText } from '../drain/drain-text.ts';
import { helpEnd } from '../help-end.ts';
import { adminOption } from '../options/admin.ts';
import { clientsAt } from '../options/instance.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly namespace?: string;
  readonly output: 'text' | 'json';
}

type Item = Answer<'listRegistrations'>['body']['items'][number];

/** `isthmus instances`: lists registrations. */
export function instancesCommand(): Command {
  return new Command('instances')
    .summary('list the instances that registered themselves')
    .description(
      'List the instances that registered themselves, the time left of their leases, and the proxies that their removal waits for. With several control planes, also which of them have an instance. Below, drained instances, those of files too.',
    )
    .option('--namespace <name>', 'of this namespace only')
    .addOption(new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text'))
    .optionsGroup('The control plane:')
    .addOption(adminOption())
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 listed, even if none; 1 listed, but one of several control planes does not answer; 2 none answers.',
        examples: ['isthmus instances --namespace shop --admin 10.1.0.9:15014'],
      }),
    )
    .action(list);
}

/** An instance, and the control planes that have it in this state. */
type Listed = Item & { readonly at: readonly string[] };

async function list(flags: Flags): Promise<void> {
  const { planes, close } = clientsAt(flags.admin);
  try {
    const lists = await Promise.all(planes.map((plane) => itemsAt(plane, flags.namespace)));
    const failed = lists.filter((one) => typeof one === 'string');
    if (failed.length === lists.length) throw new MeshError('unavailable', failed.join('; '));
    for (const why of failed) process.stderr.write(`isthmus: ${why}\n`);
    if (failed.length > 0) process.exitCode = exitCode.failed;
    const items = merged(lists.filter((one) => typeof one !== 'string').flat());
    const drains = await drainsAt(planes, flags.namespace);
    if (flags.output === 'json')
      process.stdout.write(
        `${JSON.stringify(
          items.map((item) => withDrain(item, drains)),
          null,
          2,
        )}\n`,
      );
    else if (items.length > 0) process.stdout.write(listText(items, planes.length > 1));
    else process.stdout.write(`${await noneText(planes, flags.namespace)}\n`);
    // Also those of instances that come from files.
    if (flags.output === 'text')
      for (const one of drains.values()) process.stdout.write(`${drainedText(one, systemClock.wall())}\n`);
  } finally {
    await close();
  }
}

/** The instances at one control plane; a string: why they are unknown. */
async function itemsAt(
  { name, client }: NamedClient,
  namespace: string | undefined,
): Promise<readonly Listed[] | string> {
  try {
    const answer = await client.call('listRegistrations', { query: { namespace }, timeoutMs: 10_000 });
    if (answer.isRefused) return `${name}: ${refusalOf(answer)}`;
    return answer.body.items.map((item) => ({ ...item, at: [name] }));
  } catch (reason) {
    return MeshError.from(reason).message;
  }
}

type Drained = Answer<'listDrains'>['body']['items'][number];

/** Drained instances by NAMESPACE/NAME, also those of files; none of a control plane that does not say. */
async function drainsAt(
  planes: readonly NamedClient[],
  namespace: string | undefined,
): Promise<ReadonlyMap<string, Drained>> {
  const lists = await Promise.all(
    planes.map(async ({ client }) => {
      const answer = await client.call('listDrains', { timeoutMs: 10_000 }).catch(() => undefined);
      return answer === undefined || answer.isRefused ? [] : answer.body.items;
    }),
  );
  const own = lists.flat().filter((one) => namespace === undefined || one.namespace === namespace);
  return new Map(own.map((one) => [drainKey(one), one]));
}

function withDrain(item: Listed, drains: ReadonlyMap<string, Drained>): object {
  const drain = drains.get(drainKey(item));
  return drain === undefined ? item : { ...item, drained: drain };
}

/** The message for an empty list; for a namespace it names others that have instances. */
async function noneText(planes: readonly NamedClient[], namespace: string | undefined): Promise<string> {
  if (namespace === undefined) return 'no instance has registered';
  const lists = await Promise.all(planes.map((plane) => itemsAt(plane, undefined)));
  const items = lists.flatMap((list) => (typeof list === 'string' ? [] : list));
  const others = [...new Set(items.map((item) => item.namespace))].sort();
  const there = others.length === 0 ? 'nor in any other' : `there are some in ${others.join(', ')}`;
  return `no instance has registered in namespace ${namespace}; ${there}`;
}

/** One row for all control planes that have an instance in the same generation and state. */
function merged(items: readonly Listed[]): readonly Listed[] {
  const rows = new Map<string, Listed>();
  for (const item of items) {
    const key = `${item.namespace}/${item.name} ${item.generation} ${item.state}`;
    const row = rows.get(key);
    // The lease is known where it is held.
    const one = row?.leaseEndsIn === undefined ? item : row;
    rows.set(key, { ...one, at: [...(row?.at ?? []), ...item.at] });
  }
  return [...rows].sort(([a], [b]) => compareText(a, b)).map(([, row]) => row);
}

function listText(items: readonly Listed[], isOfMany: boolean): string {
  const lines = textTable([
    [
      ...['NAMESPACE', 'NAME', 'ADDRESS', 'STATE', 'LEASE', 'GENERATION'],
      ...(isOfMany ? ['AT'] : []),
      'WAITS FOR',
    ],
    ...items.map((item) => [
      item.namespace,
      item.name,
      `${item.address} ${Object.entries(item.ports).map(([name, port]) => `${name}=${port}`)}`,
      item.state,
      item.leaseEndsIn ?? (item.keptBy === undefined ? '-' : `at ${item.keptBy}`),
      String(item.generation),
      ...(isOfMany ? [item.at.join(', ')] : []),
      item.waitingFor?.join(', ') ?? '',
    ]),
  ]);
  return [...lines, ...items.flatMap(statusLines)].map((line) => `${line}\n`).join('');
}

/** What is wrong with an instance, a line each. */
function statusLines({ namespace, name, status }: Listed): string[] {
  return (status?.findings ?? [])
    .filter(({ severity }) => severity !== 'note')
    .map(({ code, message }) => `! ${namespace}/${name}: ${message} [${code}]`);
}
