import { resolve } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { isMap, type RawMap } from '../../base/raw-map.ts';
import { checkedToken, createTokenFile } from './credential-files.ts';
import { createExecCredentials } from './exec-plugin.ts';
import type { FieldError, KubeCredentials } from './kube-access.ts';
import { dataOrFile } from './pem-field.ts';

/** Where the user of a kubeconfig stands. */
interface UserPlace {
  /** Its path, such as `users[0].user`. */
  readonly field: string;
  /** The folder of the kubeconfig, against which its paths are resolved. */
  readonly folder: string;
  readonly fault: FieldError;
  readonly clock: Clock;
  readonly cluster: RawMap;
}

/** Fields of a user that are not supported, with what to do. */
const unsupported: Readonly<Record<string, string>> = {
  'auth-provider': 'Kubernetes has removed it: use exec.',
  username: 'API servers since 1.19 do not take passwords: use a token, a certificate or exec.',
  as: 'impersonation is not supported: use credentials of the user itself.',
};

/** The credentials of a user of a kubeconfig: a plugin, else a token or its file, and a certificate. */
export function userCredentials(user: RawMap, place: UserPlace): KubeCredentials {
  const { field, folder, fault, clock } = place;
  for (const [key, todo] of Object.entries(unsupported))
    if (user[key] !== undefined) throw fault(`${field}.${key}`, todo);
  if (isMap(user.exec)) return execCredentials(user.exec, place);
  const path = typeof user.tokenFile === 'string' ? resolve(folder, user.tokenFile) : undefined;
  const file = path === undefined ? undefined : createTokenFile(path, `${field}.tokenFile`, fault, clock);
  const token =
    typeof user.token === 'string' ? checkedToken(user.token, `${field}.token`, fault) : undefined;
  return {
    // The file first, as kubectl does: a token beside it is what the file held once.
    async authorization() {
      const found = file === undefined ? token : await file.read();
      return found === undefined ? undefined : `Bearer ${found}`;
    },
    async certificate() {
      const cert = await dataOrFile(user, 'client-certificate', field, folder, fault);
      const key = await dataOrFile(user, 'client-key', field, folder, fault);
      if (cert === undefined && key === undefined) return {};
      if (cert === undefined) throw fault(`${field}.client-certificate`, 'is missing beside client-key.');
      if (key === undefined) throw fault(`${field}.client-key`, 'is missing beside client-certificate.');
      return { cert, key };
    },
    refused: () => file?.forget(),
  };
}

function execCredentials(exec: RawMap, { field, folder, fault, clock, cluster }: UserPlace): KubeCredentials {
  const at = `${field}.exec`;
  const { command, args, env, apiVersion, installHint } = exec;
  if (typeof command !== 'string' || command === '')
    throw fault(`${at}.command`, 'is missing: name a program.');
  const pairs = Array.isArray(env) ? env.filter(isMap).map(({ name, value }) => [name, String(value)]) : [];
  return createExecCredentials(
    {
      apiVersion: String(apiVersion ?? ''),
      command: command.includes('/') ? resolve(folder, command) : command,
      args: Array.isArray(args) ? args.map(String) : [],
      env: Object.fromEntries(pairs),
      ...(typeof installHint === 'string' && { installHint }),
      ...(exec.provideClusterInfo === true && { cluster }),
    },
    { fault, field: at, folder, clock },
  );
}
