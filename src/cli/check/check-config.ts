import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { MeshError } from '../../base/error.ts';
import { describeSystemError } from '../../base/system-error.ts';
import type { ConfigFile } from '../../config/config-file.ts';
import type { ControlPlaneConfig } from '../../config/options.ts';
import { resolveConfig } from '../../config/resolve.ts';
import type { Found } from './check-line.ts';
import { checkTokenFile } from './check-tokens.ts';

/** A configuration of `isthmus serve`, if it is whole, and what was found. */
interface CheckedConfig {
  /** Undefined: the file is invalid, or leaves required options to flags. */
  readonly config: ControlPlaneConfig | undefined;
  readonly found: readonly Found[];
}

/** Checks a file, the environment, and the files and folders that they name. Throws as `readConfigFile`. */
export async function checkConfig(file: string): Promise<CheckedConfig> {
  const { readConfigFile } = await import('../../config/config-file.ts');
  const read = readConfigFile(file);
  const common = { what: file, tried: 'reading it as isthmus serve --file does' };
  const config = resolve(read);
  if (!(config instanceof MeshError))
    return { config, found: [{ ...common, result: 'ok', found: 'valid' }, ...checkFiles(config)] };
  const todo =
    'correct it, or give what flags of isthmus serve set as ISTHMUS_SERVE_… (isthmus config check)';
  const lines = config.message.split('\n');
  return {
    config: undefined,
    found: lines.map((found): Found => ({ ...common, result: 'fail', found, todo })),
  };
}

function resolve(file: ConfigFile): ControlPlaneConfig | MeshError {
  try {
    return resolveConfig({ file, environment: process.env, flags: new Map() }).config;
  } catch (reason) {
    return MeshError.from(reason);
  }
}

/** Files and folders that a control plane reads and writes, as this user has them. */
function checkFiles({ registry, state, admin }: ControlPlaneConfig): readonly Found[] {
  const { R_OK, W_OK, X_OK } = constants;
  const folder = registry.folder?.replace(/^files:/, '');
  const { kubeconfig } = registry;
  const objects = [
    ...(folder === undefined ? [] : [checkAccess(`${folder}, registry.folder`, folder, R_OK | X_OK)]),
    ...(kubeconfig === undefined
      ? []
      : [checkAccess(`${kubeconfig}, registry.kubeconfig`, kubeconfig, R_OK)]),
  ];
  return [
    // With a last good state it starts without them.
    ...objects.map(
      (found): Found =>
        found.result === 'fail' && state.folder !== undefined ? { ...found, result: 'warn' } : found,
    ),
    ...(admin.tokenFile === undefined ? [] : [checkTokenFile(admin.tokenFile, 'admin.tokenFile')]),
    ...(registry.registrations === undefined
      ? []
      : [checkAccess(`${registry.registrations}, registry.registrations`, registry.registrations, W_OK)]),
    ...(state.folder === undefined
      ? []
      : [checkAccess(`${state.folder}, state.folder`, state.folder, W_OK | X_OK)]),
  ];
}

/** What exists is checked itself, what has yet to be created by the nearest folder above. */
function checkAccess(what: string, path: string, mode: number): Found {
  const isWritten = (mode & constants.W_OK) !== 0;
  const common = { what, tried: `${isWritten ? 'may write' : 'may read'}, as this user` };
  try {
    if (isWritten && statSync(path, { throwIfNoEntry: false }) === undefined) {
      let above = dirname(path);
      while (statSync(above, { throwIfNoEntry: false }) === undefined) above = dirname(above);
      accessSync(above, constants.W_OK | constants.X_OK);
      return { ...common, result: 'ok', found: `will be created; ${above} is writable` };
    }
    accessSync(path, mode);
    return { ...common, result: 'ok', found: 'as it should be' };
  } catch (reason) {
    const todo = 'create it, or let the user of isthmus serve use it; run this check as that user';
    return { ...common, result: 'fail', found: describeSystemError(reason), todo };
  }
}
