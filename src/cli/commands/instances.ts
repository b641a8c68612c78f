import { Command } from 'commander';
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
import { errorText } from '../ask-each.ts';
import { askEveryIdc, notAskedText } from '../ask-idcs.ts';
import { drainedText } from '../drain/drain-text.ts';
import { helpEnd } from '../help-end.ts';
import { adminOption } from '../options/admin.ts';
import { allIdcsOption } from '../options/all-idcs.ts';
import { clientsAt } from '../options/instance.ts';
import { type OutputFormat, outputOption } from '../options/output.ts';
import { type Look, showLook, watchOption } from '../show/show.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  readonly watch?: boolean;
  readonly namespace?: string;
  readonly output: OutputFormat;
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
    .addOption(watchOption())
    .addOption(
      outputOption(
        'output format; wide: with locality, weight, lease, labels and the control planes that have it; json and yaml: a list, with these control planes',
      ),
    )
    .optionsGroup('The control plane:')
    .addOption(adminOption())
    .addOption(allIdcsOption('those of the other IDCs, too'))
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

function list(flags: Flags): Promise<void> {
  return showLook(flags, () => look(flags));
}

async function look({ admin, allIdcs, namespace }: Flags): Promise<Look> {
  const { told, unknown } = await askEveryIdc(admin, allIdcs === true, readPlane);
  const heard = told.flatMap((one) => ('reply' in one ? [one.reply] : []));
  const all = merged(heard.flatMap(({ items }) => items));
  const isAsked = (one: { readonly namespace: string }) =>
    namespace === undefined || one.namespace === namespace;
  const items = all.filter(isAsked);
  const drains = new Map(
    heard.flatMap((one) => one.drains.filter(isAsked)).map((one) => [drainKey(one), one]),
  );
  const notes = [
    ...told.flatMap((one) => ('error' in one ? [`isthmus: ${errorText(one)}`] : [])),
    ...unknown.map((idc) => `! ${notAskedText(idc)}`),
  ];
  return {
    data: items.map((item) => withDrain(item, drains)),
    text(width) {
      const none = `${noneText(all, namespace)}\n`;
      const list = items.length > 0 ? listText(items, width, told.length > 1) : none;
      // Also those of instances that come from files.
      const drained = [...drains.values()].map((one) => `${drainedText(one, systemClock.wall())}\n`);
      return `${list}${drained.join('')}`;
    },
    notes,
    code: notes.length > 0 ? exitCode.failed : exitCode.ok,
  };
}

type Drained = Answer<'listDrains'>['body']['items'][number];

/**
 * The instances at one control plane, and those that are drained, also of files; none of a control plane that
 * does not say. Throws MeshError `unavailable`.
 */
async function readPlane(
  where: ListenAddress,
): Promise<{ readonly items: readonly Listed[]; readonly drains: readonly Drained[] }> {
  const { planes, close } = clientsAt([where]);
  try {
    const [{ name, client }] = planes as [NamedClient];
    const [answer, drained] = await Promise.all([
      client.call('listRegistrations', { timeoutMs: 10_000 }),
      client.call('listDrains', { timeoutMs: 10_000 }).catch(() => undefined),
    ]);
    if (answer.isRefused) throw new MeshError('unavailable', `${name}: ${refusalOf(answer)}`);
    return {
      items: answer.body.items.map((item) => ({ ...item, at: [name] })),
      drains: drained === undefined || drained.isRefused ? [] : drained.body.items,
    };
  } finally {
    await close();
  }
}

function withDrain(item: Listed, drains: ReadonlyMap<string, Drained>): object {
  const drain = drains.get(drainKey(item));
  return drain === undefined ? item : { ...item, drained: drain };
}

/** The message for an empty list; for a namespace it names others that have instances. */
function noneText(all: readonly Listed[], namespace: string | undefined): string {
  if (namespace === undefined) return 'no instance has registered';
  const others = [...new Set(all.map((item) => item.namespace))].sort();
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

function listText(items: readonly Listed[], width: 'table' | 'wide', isOfMany: boolean): string {
  const isWide = width === 'wide';
  const lines = textTable([
    [
      ...['NAMESPACE', 'NAME', 'ADDRESS', 'STATE', 'LEASE', 'GENERATION'],
      ...(isWide ? ['LOCALITY', 'WEIGHT', 'TTL', 'LABELS'] : []),
      ...(isOfMany || isWide ? ['AT'] : []),
      'WAITS FOR',
    ],
    ...items.map((item) => [
      item.namespace,
      item.name,
      `${item.address} ${Object.entries(item.ports).map(([name, port]) => `${name}=${port}`)}`,
      item.state,
      item.leaseEndsIn ?? (item.keptBy === undefined ? '-' : `at ${item.keptBy}`),
      String(item.generation),
      ...(isWide ? [item.locality ?? '-', String(item.weight ?? 1), item.ttl, labelsText(item)] : []),
      ...(isOfMany || isWide ? [item.at.join(', ')] : []),
      item.waitingFor?.join(', ') ?? '',
    ]),
  ]);
  return [...lines, ...items.flatMap(statusLines)].map((line) => `${line}\n`).join('');
}

function labelsText({ labels }: Listed): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}

/** What is wrong with an instance, a line each. */
function statusLines({ namespace, name, status }: Listed): string[] {
  return (status?.findings ?? [])
    .filter(({ severity }) => severity !== 'note')
    .map(({ code, message }) => `! ${namespace}/${name}: ${message} [${code}]`);
}
