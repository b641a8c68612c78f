import { startDns } from './dns-server.ts';

/** Options of the name server of an IDC: where it listens, and the address of each name. */
export interface DnsPlan {
  readonly address: string;
  readonly port: number;
  readonly names: Readonly<Record<string, string>>;
}

/** The process: a name server that knows these names, until it is ended. */
const plan: DnsPlan = JSON.parse(process.argv[2] ?? '{}');
const server = await startDns(plan.address, plan.port);
for (const [name, address] of Object.entries(plan.names)) server.say(name, { addresses: [address], ttl: 1 });
