import type { ListenAddress } from '../../model/values/listen-address.ts';
import { hearIdcs, type IdcReplies } from '../ask-idcs.ts';
import { type AskedPlane, askPlane } from './asked-plane.ts';
import { checkAddresses } from './check-addresses.ts';
import { checkClocks } from './check-clocks.ts';
import { checkConfig } from './check-config.ts';
import { checkGateways } from './check-gateways.ts';
import type { CheckLine, Found } from './check-line.ts';
import { checkPorts } from './check-ports.ts';
import { checkTokens } from './check-tokens.ts';
import { checkVersions } from './check-versions.ts';

/** What is checked. */
interface Checked {
  /** Control planes to ask; empty: none. */
  readonly admin: readonly ListenAddress[];
  /** Whether those of the other IDCs are asked, too. */
  readonly allIdcs: boolean;
  /** A configuration of `isthmus serve`. */
  readonly file?: string | undefined;
  readonly tokenFile?: string | undefined;
}

/** What was found, and what control planes answered. */
interface CheckReport {
  readonly lines: readonly CheckLine[];
  readonly replies: IdcReplies<AskedPlane>;
}

/** Checks all. Throws MeshError `unavailable` if `file` cannot be read. */
export async function runChecks({ admin, allIdcs, file, tokenFile }: Checked): Promise<CheckReport> {
  const fromFile = file === undefined ? [] : await checkFile(file);
  const replies = await hearIdcs(admin, allIdcs, askPlane);
  const planes = replies.told.flatMap((one) => ('reply' in one ? [one.reply] : []));
  // One that does not answer is told once, by its address.
  const token = planes.length === 0 ? [] : await checkTokens(placesOf(planes), tokenFile);
  const lines = [
    ...fromFile,
    ...linesOf('addresses', await checkAddresses(replies)),
    ...linesOf('tokens', token),
    ...linesOf('clocks', checkClocks(planes)),
    ...linesOf('gateways', checkGateways(planes)),
    ...linesOf('versions', checkVersions(planes)),
  ];
  return { lines, replies };
}

async function checkFile(file: string): Promise<readonly CheckLine[]> {
  const { config, found } = await checkConfig(file);
  return [
    ...linesOf('configuration', found),
    ...linesOf('ports', config === undefined ? [] : await checkPorts(config)),
  ];
}

function placesOf(planes: readonly AskedPlane[]): readonly ListenAddress[] {
  return planes.map(({ where }) => where);
}

function linesOf(topic: CheckLine['topic'], found: readonly Found[]): readonly CheckLine[] {
  return found.map((one) => ({ topic, ...one }));
}
