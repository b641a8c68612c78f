// How much processor time a command takes from its start to its end, as a multiple of a bare Node process:
// the ratio holds on slow and busy machines too.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { quickObjects } from '../../src/cli/quickstart/objects.ts';

/** The start of a command. */
interface Start {
  readonly name: string;
  /** Its last known cost, in starts of a bare Node process. */
  readonly usual: number;
  readonly args: readonly string[];
  /** Text on standard error after which it is told to end; absent: it ends by itself. */
  readonly until?: string;
}

/** What was measured of a start; CPU time in milliseconds. */
export interface StartRow {
  readonly name: string;
  readonly ms: number;
  readonly ratio: number;
  readonly usual: number;
}

const rounds = 5;
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Says at the end of the process what processor time it has taken, in microseconds. */
const tell = `data:text/javascript,${encodeURIComponent(
  `process.on('exit', () => {
    const { user, system } = process.cpuUsage();
    process.stderr.write('\\ncpu ' + (user + system) + '\\n');
  });`,
)}`;

function startsIn(folder: string): Start[] {
  const config = join(folder, 'config');
  return [
    { name: 'isthmus --version', usual: 4.2, args: ['--version'] },
    { name: 'isthmus --help', usual: 10, args: ['--help'] },
    { name: 'isthmus status, of nobody', usual: 9.5, args: ['status', '--admin', '127.0.0.1:1'] },
    { name: 'isthmus validate', usual: 10.5, args: ['validate', config] },
    {
      name: 'isthmus serve, until it is ready with kept filters',
      usual: 30,
      args: [
        ...['serve', '--idc', 'sh-a', '--config', config, '--filters', join(folder, 'filters')],
        ...['--xds', '127.0.0.1:0', '--admin', '127.0.0.1:0'],
      ],
      until: '"msg":"ready"',
    },
  ];
}

/** Measures the starts of commands from the sources, each several times; the least counts. */
export async function measureStarts(): Promise<StartRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-starts-'));
  try {
    mkdirSync(join(folder, 'config'));
    for (const [name, text] of Object.entries(quickObjects()))
      writeFileSync(join(folder, 'config', name), text);
    const starts = startsIn(folder);
    // Code and filters are compiled once.
    for (const start of starts) await cpuMs([main, ...start.args], start.until);
    const least = starts.map(() => Number.POSITIVE_INFINITY);
    let bare = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round += 1) {
      bare = Math.min(bare, await cpuMs(['-e', '0']));
      for (const [i, { args, until }] of starts.entries())
        least[i] = Math.min(least[i] ?? 0, await cpuMs([main, ...args], until));
    }
    return starts.map(({ name, usual }, i) => {
      const ms = least[i] ?? Number.NaN;
      return { name, usual, ms, ratio: ms / bare };
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The processor time of a process of Node, its children apart. Rejects if it does not tell. */
async function cpuMs(args: readonly string[], until?: string): Promise<number> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, ['--import', tell, ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const wasThere = until !== undefined && said.includes(until);
    said += text;
    if (until !== undefined && !wasThere && said.includes(until)) child.kill('SIGINT');
  });
  await new Promise((resolve) => child.once('close', resolve));
  const told = /^cpu (\d+)$/m.exec(said)?.[1];
  if (told === undefined) throw new Error(`${args.join(' ')}: ${said}`);
  return Number(told) / 1_000;
}
