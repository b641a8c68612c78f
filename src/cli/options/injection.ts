import { type Command, InvalidArgumentError, Option } from 'commander';
import { MeshError } from '../../base/error.ts';
import { readBounded } from '../../base/files/bounded-file.ts';
import { isMap, type RawMap } from '../../base/raw-map.ts';
import { describeSystemError } from '../../base/system-error.ts';
import { type InjectSettings, injectDefaults } from '../../inject/settings.ts';
import { addControlPlane, parseIdcName } from './address.ts';

/** Options of `inject` and `webhook`, as they were given. */
export interface InjectFlags extends Omit<InjectSettings, 'ipv6' | 'template'> {
  readonly ipv4Only?: boolean;
  /** The path of a file. */
  readonly template?: string;
}

/** Adds the options that say how Pods are injected. */
export function addInjectOptions(command: Command): Command {
  const { revision, image, isthmusImage, drainSeconds } = injectDefaults;
  return command
    .requiredOption('--idc <name>', 'the IDC of the cluster', parseIdcName)
    .requiredOption(
      '--xds <host:port>',
      'a control plane: an IP address, or a name that DNS has, such as that of a Service; repeat for more, or by comma, most preferred first',
      addControlPlane,
    )
    .option('--revision <name>', 'label isthmus.dev/rev of what is injected', parseRevision, revision)
    .option('--image <image>', 'image of Envoy', image)
    .option('--isthmus-image <image>', 'image of Isthmus, for the capture of connections', isthmusImage)
    .addOption(
      new Option('--readiness-gate <which>', 'Pods that are Ready only once their proxies know them')
        .choices(['group', 'never'])
        .default('group'),
    )
    .option(
      '--drain-seconds <n>',
      'how long Pods that others call go on after their deletion',
      parseSeconds,
      drainSeconds,
    )
    .option('--ipv4-only', 'listen at IPv4 addresses alone: for nodes without IPv6')
    .option('--template <file>', 'YAML of a part of a Pod that is merged into each Pod at last');
}

/** The settings that the options say. Throws MeshError `invalid` for a template that cannot be used. */
export async function readInjectSettings(flags: InjectFlags): Promise<InjectSettings> {
  const { template, ipv4Only, ...rest } = flags;
  return {
    ...{ idc: rest.idc, xds: rest.xds, revision: rest.revision, image: rest.image },
    ...{ isthmusImage: rest.isthmusImage, readinessGate: rest.readinessGate },
    ...{ drainSeconds: rest.drainSeconds, ipv6: ipv4Only !== true },
    ...(template === undefined ? {} : { template: await readTemplate(template) }),
  };
}

const templateBytesMax = 1024 * 1024;

async function readTemplate(path: string): Promise<RawMap> {
  const { parse } = await import('yaml');
  let raw: unknown;
  try {
    raw = parse(readBounded(path, templateBytesMax).toString('utf8'));
  } catch (reason) {
    throw new MeshError('invalid', `--template: ${path} cannot be used: ${describeSystemError(reason)}`);
  }
  const stray = isMap(raw) ? Object.keys(raw).find((key) => !['metadata', 'spec'].includes(key)) : '';
  if (!isMap(raw) || stray !== undefined)
    throw new MeshError(
      'invalid',
      `--template: ${path} must be a mapping with metadata, spec or both of a Pod${stray ? `, not ${stray}` : ''}`,
    );
  return raw;
}

function parseRevision(text: string): string {
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError(`'${text}' is not a revision: use up to 63 of a-z, 0-9 and '-'.`);
}

function parseSeconds(text: string): number {
  if (/^[0-9]{1,3}$/.test(text) && Number(text) <= 600) return Number(text);
  throw new InvalidArgumentError(`'${text}' is not a number of seconds from 0 to 600.`);
}
