import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { startControlPlane } from '../controlplane.ts';
import type { ListenAddress } from '../model/node.ts';
import { hopLimitMax } from '../model/trail.ts';
import { openSource } from '../registry/sources.ts';
import { parseAddress, parseIdcName, showAddress } from './address.ts';
import { serveAdmin } from './admin.ts';
import { createLogger, type LogLevel, logLevels } from './log.ts';

interface Flags {
  readonly idc: string;
  readonly config: readonly string[];
  readonly xds: ListenAddress;
  readonly admin: ListenAddress;
  readonly adminTokenFile?: string;
  readonly hopLimit: number;
  readonly logLevel: LogLevel;
}

/** `isthmus serve`: the control plane of one IDC, until SIGTERM or SIGINT. */
export function serveCommand(): Command {
  return new Command('serve')
    .summary('run the control plane of one IDC')
    .description(
      'Run the control plane of one IDC: read registry objects, serve xDS to its Envoys. DIR is watched; a saved file is pushed without a restart. Logs are JSON lines on stderr.',
    )
    .requiredOption('--idc <name>', 'the IDC that this control plane decides for', parseIdcName)
    .requiredOption(
      '--config <dir>',
      'folder of YAML objects; repeat for more',
      (text: string, list: readonly string[] | undefined) => [...(list ?? []), text],
    )
    .addOption(
      new Option('--xds <host:port>', 'where Envoys ask')
        .argParser((text: string) => parseAddress(text))
        .default({ address: '127.0.0.1', port: 15010 }, '127.0.0.1:15010'),
    )
    .addOption(
      new Option('--admin <host:port>', 'readiness, status, metrics')
        .argParser((text: string) => parseAddress(text))
        .default({ address: '127.0.0.1', port: 15014 }, '127.0.0.1:15014'),
    )
    .option(
      '--admin-token-file <file>',
      'file with the token that admin writes need; without it they are off',
    )
    .option('--hop-limit <n>', `most crossings of any request, 0 to ${hopLimitMax}`, parseHopLimit, 1)
    .addOption(new Option('--log-level <level>', 'what to log').choices(logLevels).default('info'))
    .action(serve);
}

async function serve(flags: Flags): Promise<void> {
  const clock = systemClock;
  const logger = createLogger(flags.logLevel);
  const token = flags.adminTokenFile === undefined ? undefined : readToken(flags.adminTokenFile);
  const plane = await startControlPlane({
    idc: flags.idc,
    sources: flags.config.map((address) => openSource(address, { clock, logger })),
    xds: flags.xds,
    hopLimit: flags.hopLimit,
    clock,
    logger,
  });
  let admin: Awaited<ReturnType<typeof serveAdmin>>;
  try {
    admin = await serveAdmin(plane, flags.admin, token);
  } catch (reason) {
    await plane.close();
    throw reason;
  }
  logger.info('serving', {
    idc: flags.idc,
    xds: showAddress(plane.xds),
    admin: showAddress({ ...flags.admin, port: admin.port }),
  });
  const signal = await new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  logger.info('stopping; proxies keep what they have', { signal });
  await Promise.all([admin.close(), plane.close()]);
}

function parseHopLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 0 || limit > hopLimitMax) {
    throw new InvalidArgumentError(`'${text}' is no hop limit: 0 to ${hopLimitMax}.`);
  }
  return limit;
}

function readToken(file: string): string {
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new MeshError('unavailable', `cannot read --admin-token-file: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (token.length < 16) throw new MeshError('invalid', `the token in ${file} is shorter than 16 characters`);
  return token;
}
