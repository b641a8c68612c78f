import { Option } from 'commander';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { addAddress } from './address.ts';

/** The control planes that are asked if none is named. */
export const defaultAdmin: readonly ListenAddress[] = [{ address: '127.0.0.1', port: 15014 }];

/**
 * `--admin` of commands that ask control planes: repeated, by comma, or from ISTHMUS_ADMIN. Its value is a
 * list without duplicates, not empty.
 */
export function adminOption(): Option {
  return optionalAdminOption().default(defaultAdmin, '127.0.0.1:15014');
}

/** The same for a command that asks nobody where no address is given: its value is undefined then. */
export function optionalAdminOption(): Option {
  return new Option(
    '--admin <host:port>',
    "a control plane's admin address; repeat for each control plane, or several by comma",
  )
    .env('ISTHMUS_ADMIN')
    .argParser((text: string, list: readonly ListenAddress[] | undefined) =>
      addAddress(text, list === defaultAdmin ? undefined : list),
    );
}
