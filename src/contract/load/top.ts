import { z } from 'zod';
import { component, described } from '../components.ts';
import type { Json } from '../json.ts';
import type { Operation } from '../operation.ts';
import { durationQuery } from '../query.ts';

const role = z.enum(['sidecar', 'ingress', 'egress', 'grpc']);
const ms = (words: string) =>
  described(
    `${words}, in milliseconds: the upper bound of its bucket; absent: no time was recorded.`,
    z.number(),
  ).optional();

const hostLoad = component(
  'HostLoad',
  z.strictObject({
    host: z.string(),
    port: z.int(),
    requests: described(
      "Requests of the IDC's own clients that were answered in the interval, at the first proxy and after all tries; of TCP connections.",
      z.int(),
    ),
    failed: described(
      'Of these requests, those with a 5xx, by Envoy or an instance; of TCP those that nobody can serve.',
      z.int(),
    ),
    p50Ms: ms('Half of the requests took at most this long'),
    p99Ms: ms('99 % of the requests took at most this long'),
    inFlight: described('At the second reading.', z.int()),
    idcs: described(
      'Where they were sent, tries included, the most first.',
      z.array(z.strictObject({ idc: z.string(), requests: z.int() })),
    ),
  }),
);

const proxyLoad = component(
  'ProxyLoad',
  z.strictObject({
    node: z.string(),
    role,
    requests: described(
      'Answered in the interval; at an ingress gateway also those let in from other IDCs, without health checks.',
      z.int(),
    ),
    failed: described(
      'Of these, those with a 5xx; at an ingress gateway not of those from other IDCs.',
      z.int(),
    ),
    inFlight: z.int(),
  }),
);

const top = component(
  'Top',
  z.strictObject({
    idc: described('The IDC that this control plane decides for.', z.string()),
    at: described('When the second readings began, RFC 3339.', z.string()),
    intervalMs: described('Between the readings, as it was.', z.number()),
    hosts: described(
      'With requests in the interval or in flight: those that only fail first, then those with the most.',
      z.array(hostLoad),
    ),
    idle: described('Further hosts of which a proxy that was read has ever sent a request.', z.int()),
    proxies: described('Those that were read, the most requests first.', z.array(proxyLoad)),
    arrived: described(
      'Requests from other IDCs that ingress gateways have let in, by IDC, the most first; health checks are none.',
      z.array(z.strictObject({ idc: z.string(), requests: z.int() })),
    ),
    unknownHosts: described(
      'Requests that sidecars, and ingress gateways for clients, answered with 404 in the interval: nobody here declares their host, or not for this proxy.',
      z.array(z.strictObject({ node: z.string(), role, requests: z.int() })),
    ),
    connected: described('Connected Envoys.', z.int()),
    silent: described(
      'Those that were not read: of each role at most 32 are asked.',
      z.array(z.strictObject({ node: z.string(), role, why: z.string() })),
    ),
    others: described(
      "Other IDCs, with their control planes' admin addresses as their Idcs declare them.",
      z.array(z.strictObject({ idc: z.string(), controlPlanes: z.array(z.string()) })),
    ),
  }),
);

/** What hosts and proxies of an IDC have to do. */
export type TopReport = Json<z.output<typeof top>>;

/** A host in it. */
export type HostLoad = TopReport['hosts'][number];

/** The longest interval, and the default: Envoy merges times into its statistics every 5 s. */
const topInterval = { mostMs: 60_000, default: '5s' } as const;

/** Input and output of the question who has how much to do. */
export const topContract = {
  getTop: {
    tag: 'status',
    summary: 'Hosts and proxies by load, as proxies say',
    description:
      'Reads the statistics of the connected proxies twice, and adds up what came in between. Answers after the interval.',
    help: 'hosts and proxies by load: requests, failures, times, in flight, share by IDC (JSON)',
    query: z.strictObject({
      for: durationQuery(100, topInterval.mostMs, 'give a duration of 100ms to 60s, such as 5s')
        .prefault(topInterval.default)
        .meta({ description: 'The interval in which requests are counted, up to 60s.' }),
    }),
    answers: { 200: { description: 'By host, and by proxy.', schema: top } },
    refusals: [429],
  },
} as const satisfies Readonly<Record<string, Operation>>;
