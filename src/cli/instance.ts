import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ListenAddress } from '../model/node.ts';
import { parseAddress } from './address.ts';
import { type ClientOptions, ownAddressTowards, readClientToken } from './registration-client.ts';

/** Options of all commands that talk to a control plane's registration API. */
export interface ClientFlags {
  readonly admin: ListenAddress;
  readonly tokenFile?: string;
}

/** Options that name an instance. */
export interface InstanceFlags extends ClientFlags {
  readonly namespace: string;
  readonly name?: string;
  readonly group?: string;
  readonly port?: InstancePort;
  readonly address?: string;
}

/** A port of an instance, by the name of the Group's port. */
export interface InstancePort {
  readonly name: string;
  readonly number: number;
}

/** Adds the options of `ClientFlags`. */
export function addClientOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--admin <host:port>', "the control plane's admin address (env: ISTHMUS_ADMIN)")
        .env('ISTHMUS_ADMIN')
        .argParser((text: string) => parseAddress(text))
        .default({ address: '127.0.0.1', port: 15014 }, '127.0.0.1:15014'),
    )
    .option(
      '--token-file <file>',
      "file with the control plane's admin token (env: ISTHMUS_TOKEN_FILE, or ISTHMUS_TOKEN with the token itself)",
    );
}

/** Where and as whom to ask. */
export function clientOf(flags: ClientFlags): ClientOptions {
  return { admin: flags.admin, token: readClientToken(flags.tokenFile, process.env) };
}

/** Reads `8080` or `NAME=8080`. */
export function parsePort(text: string): InstancePort {
  const [, name = 'http', digits = ''] = /^(?:([A-Za-z0-9-]+)=)?(\d+)$/.exec(text) ?? [];
  const number = Number(digits);
  if (digits === '' || number < 1 || number > 65_535)
    throw new InvalidArgumentError(
      `'${text}' is no port: write 8080, or NAME=8080 with the name of the Group's port.`,
    );
  return { name, number };
}

/** The name of an instance that was not given one: the same for each life on the same address and port. */
export function instanceName(group: string, address: string, port: number): string {
  return `${group}-${address}-${port}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

/** The instance's address: as given, else the one that this machine has towards the control plane. */
export async function addressOf(flags: Pick<InstanceFlags, 'address' | 'admin'>): Promise<string> {
  return flags.address ?? (await ownAddressTowards(flags.admin));
}

/** The path of an instance in the registration API. */
export function pathOf(namespace: string, name: string): string {
  return `/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
}
