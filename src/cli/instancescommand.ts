import { Command, Option } from 'commander';
import { MeshError } from '../base/error.ts';
import { addClientOptions, type ClientFlags, clientOf } from './instance.ts';

interface Flags extends ClientFlags {
  readonly namespace?: string;
  readonly output: 'text' | 'json';
}

interface Item {
  readonly namespace: string;
  readonly name: string;
  readonly address: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly state: string;
  readonly generation: number;
  readonly leaseEndsIn?: string;
  readonly waitingFor?: readonly string[];
}

/** `isthmus instances`: who has registered. */
export function instancesCommand(): Command {
  const command = new Command('instances')
    .summary('list the instances that registered themselves')
    .description(
      'List the instances that registered themselves, how long their leases run, and whom their end waits for.',
    )
    .option('--namespace <name>', 'of this namespace only')
    .addOption(new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text'))
    .optionsGroup('The control plane:');
  return addClientOptions(command).action(list);
}

async function list(flags: Flags): Promise<void> {
  const { createRegistrationClient, refusalOf } = await import('./registration-client.ts');
  const client = createRegistrationClient(clientOf(flags));
  try {
    const answer = await client.call('GET', '', { query: { namespace: flags.namespace }, timeoutMs: 10_000 });
    if (answer.status !== 200) throw new MeshError('unavailable', refusalOf(answer));
    const items = answer.body.items as readonly Item[];
    process.stdout.write(flags.output === 'json' ? `${JSON.stringify(items, null, 2)}\n` : table(items));
  } finally {
    await client.close();
  }
}

function table(items: readonly Item[]): string {
  if (items.length === 0) return 'no instance has registered\n';
  const rows = [
    ['NAMESPACE', 'NAME', 'ADDRESS', 'STATE', 'LEASE', 'GENERATION', 'WAITS FOR'],
    ...items.map((item) => [
      item.namespace,
      item.name,
      `${item.address} ${Object.entries(item.ports).map(([name, port]) => `${name}=${port}`)}`,
      item.state,
      item.leaseEndsIn ?? '-',
      String(item.generation),
      item.waitingFor?.join(', ') ?? '',
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}
