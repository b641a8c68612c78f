import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import type { Target } from './attack.ts';

/** Random messages that are to be sent. */
export interface MessagesOrder {
  readonly at: ListenAddress;
  readonly seed: number;
  readonly count: number;
  readonly perSecond: number;
}

/** What the process of bad clients is told. */
export type AttackerOrder = { readonly id: number } & (
  | ({ readonly do: 'messages' } & MessagesOrder)
  | ({ readonly do: 'attack'; readonly name: string } & Omit<Target, 'signal'>)
  | { readonly do: 'burn' }
  | { readonly do: 'stop' }
);

/** What became of an order. */
export interface AttackerReport {
  readonly id: number;
  /** How calls and connections ended, and how many of them so. */
  readonly ended: readonly { readonly how: string; readonly times: number }[];
  readonly ms: number;
  /** Processor time that the process had meanwhile. */
  readonly cpuMs: number;
  /** It went on after it was stopped: the process must go before another order. */
  readonly isLate: boolean;
  /** Of random messages: how many of each kind, and a hash of their bytes. */
  readonly kinds?: Readonly<Record<string, number>>;
  readonly digest?: string;
}

/** Something that goes on: `stop` ends it where it does not end by itself. */
export interface Going {
  readonly report: Promise<AttackerReport>;
  stop(): void;
}

/** A process of bad clients. What is asked for at once goes on at once. */
export interface Attacker {
  readonly pid: number;
  attack(name: string, target: Omit<Target, 'signal'>): Going;
  messages(order: MessagesOrder): Going;
  /** Computes without sending anything: what an attacker takes from the machine by itself. */
  burn(): Going;
  /** Ends the process and whatever goes on in it. */
  close(): void;
}

const main = fileURLToPath(new URL('./attacker-main.ts', import.meta.url));

/** Starts it. */
export function startAttacker(): Attacker {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child: ChildProcess = spawn(process.execPath, [main], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  const waiting = new Map<number, (report: AttackerReport) => void>();
  let last = 0;
  if (child.stdout)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const report = JSON.parse(line) as AttackerReport;
      waiting.get(report.id)?.(report);
      waiting.delete(report.id);
    });
  child.once('exit', () => {
    process.off('exit', kill);
    for (const [id, resolve] of waiting)
      resolve({ id, ended: [{ how: 'the attacker ended', times: 1 }], ms: 0, cpuMs: 0, isLate: true });
    waiting.clear();
  });
  const say = (order: AttackerOrder) => void child.stdin?.write(`${JSON.stringify(order)}\n`);
  const begin = (order: object): Going => {
    last += 1;
    const id = last;
    const report = new Promise<AttackerReport>((resolve) => waiting.set(id, resolve));
    say({ id, ...order } as AttackerOrder);
    return { report, stop: () => say({ id, do: 'stop' }) };
  };
  return {
    pid: child.pid as number,
    attack: (name, target) => begin({ do: 'attack', name, ...target }),
    messages: (order) => begin({ do: 'messages', ...order }),
    burn: () => begin({ do: 'burn' }),
    close: kill,
  };
}
