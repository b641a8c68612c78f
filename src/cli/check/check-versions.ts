import { packageVersion } from '../../base/package/version.ts';
import { showAddress } from '../../model/values/listen-address.ts';
import { versionsOf } from '../version-skew.ts';
import type { AskedPlane } from './asked-plane.ts';
import type { Found } from './check-line.ts';

/** Versions of Node.js, this command, control planes and proxies, and where they do not fit together. */
export function checkVersions(planes: readonly AskedPlane[]): readonly Found[] {
  // The entry point has refused an older Node.js already.
  const own: Found = {
    ...{ result: 'ok', what: 'this command', tried: 'its own' },
    found: `isthmus ${packageVersion}, Node.js ${process.versions.node}`,
  };
  if (planes.length === 0) return [own];
  const replies = planes.map((reply) => ({ admin: showAddress(reply.where), reply }));
  const { planes: running, clients, skew } = versionsOf(packageVersion, replies);
  const tried = 'GET /status';
  const versions = [...new Set(running.map(({ version }) => version ?? 'unknown'))].sort();
  const programs = clients.map(
    ({ name, version, idc, nodes }) => `${nodes.length} ${name} ${version} in ${idc}`,
  );
  return [
    own,
    // That they differ is told below.
    ...versions
      .filter(() => versions.length === 1)
      .map(
        (version): Found => ({ tried, result: 'ok', what: 'control planes', found: `isthmus ${version}` }),
      ),
    programs.length === 0
      ? { tried, result: 'not seen', what: 'proxies', found: 'none is connected' }
      : { tried, result: 'ok', what: 'proxies', found: programs.join(', ') },
    ...skew.map(
      (words): Found => ({
        ...{ tried, what: 'versions', found: words, result: /too old/.test(words) ? 'fail' : 'warn' },
        todo: 'upgrade in the order of docs/production.md',
      }),
    ),
  ];
}
