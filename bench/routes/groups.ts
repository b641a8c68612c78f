import { drGroup, idc, service, toYaml } from '../../test/registry/objects.ts';

/** The host of the i-th Group. */
export const hostOf = (i: number): string => `group-${i}.bench`;

/** Hosts of the pattern that has a Group of its own, and of which nothing else has any. */
export const pattern = '*.pattern.bench';

/**
 * Groups of IDC sh-a that may leave it, as one file: an instance here for each, at `port` of loopback, and
 * one of the host `far.bench` in sh-b. `gateways`: what the Idcs are.
 */
export function meshFile(groups: number, port: number, gateways: readonly object[] = idcs): string {
  const hosts = Array.from({ length: groups }, (_, i) => hostOf(i));
  return toYaml(
    ...gateways,
    drGroup('all', ['*.bench'], 'sh-a', 'sh-b'),
    ...hosts.map((host) => group(host, port)),
    group(pattern, port),
    group('far.bench', port, 'sh-b'),
  );
}

/** One more of these Groups, as a file. */
export function groupFile(host: string, port: number): string {
  return toYaml(group(host, port));
}

const idcs = [idc('sh-a'), idc('sh-b')];

function group(host: string, port: number, locality = 'sh-a'): object {
  return service(host.replaceAll(/[.*]+/g, '-').replace(/^-/, ''), host, {
    workloadSelector: undefined,
    endpoints: [{ address: '127.0.0.1', locality, ports: { http: port } }],
  });
}
