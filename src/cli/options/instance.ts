import { type Command, InvalidArgumentError } from 'commander';
import type { NamedClient } from '../../client/deregistration.ts';
import {
  createRegistrationClient,
  ownAddressTowards,
  type RegistrationClient,
  readClientToken,
} from '../../client/registration-client.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import { parseAddress } from './address.ts';
import { adminOption } from './admin.ts';

/** Options of commands that use the registration API. */
export interface ClientFlags {
  /** The control planes of the IDC, at least one. */
  readonly admin: readonly ListenAddress[];
  readonly tokenFile?: string;
}

/** Options that identify an instance. */
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
    .addOption(adminOption())
    .option(
      '--token-file <file>',
      "file with the control plane's admin token (env: ISTHMUS_TOKEN_FILE, or ISTHMUS_TOKEN with the token itself)",
    );
}

/** Control planes, and clients for them. */
interface Clients {
  readonly planes: readonly NamedClient[];
  /** A client for a further address; undefined if it is not one. */
  readonly find: (name: string) => NamedClient | undefined;
  /** Closes all connections. */
  readonly close: () => Promise<unknown>;
}

/** Clients with the token. */
export function clientsOf({ admin, tokenFile }: ClientFlags): Clients {
  return clientsAt(admin, readClientToken(tokenFile, process.env));
}

/** Clients for these addresses; without a token they can only read. */
export function clientsAt(addresses: readonly ListenAddress[], token?: string): Clients {
  const clients: RegistrationClient[] = [];
  const named = (admin: ListenAddress): NamedClient => {
    const client = createRegistrationClient({ admin, token });
    clients.push(client);
    return { name: showAddress(admin), client };
  };
  return {
    planes: addresses.map(named),
    find(name) {
      try {
        return named(parseAddress(name));
      } catch {
        return undefined;
      }
    },
    close: () => Promise.all(clients.map((client) => client.close())),
  };
}

/** Parses `8080` or `NAME=8080`. */
export function parsePort(text: string): InstancePort {
  const [, name = 'http', digits = ''] = /^(?:([A-Za-z0-9-]+)=)?(\d+)$/.exec(text) ?? [];
  const number = Number(digits);
  if (digits === '' || number < 1 || number > 65_535)
    throw new InvalidArgumentError(
      `'${text}' is not a port: write 8080, or NAME=8080 with the name of the Group's port.`,
    );
  return { name, number };
}

/** The default name of an instance: constant for its address and port. */
export function instanceName(group: string, address: string, port: number): string {
  return `${group}-${address}-${port}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

/** The instance's address: as given, else this machine's towards a control plane that answers. */
export async function addressOf(flags: Pick<InstanceFlags, 'address' | 'admin'>): Promise<string> {
  if (flags.address !== undefined) return flags.address;
  try {
    return await Promise.any(flags.admin.map(ownAddressTowards));
  } catch (reason) {
    throw (reason as AggregateError).errors[0];
  }
}
