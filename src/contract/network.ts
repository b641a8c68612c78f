import { z } from 'zod';
import { component, described } from './components.ts';
import type { Json } from './json.ts';
import type { Operation } from './operation.ts';
import { hostReason } from './who.ts';

const strings = z.array(z.string());
const role = z.enum(['sidecar', 'ingress', 'egress', 'grpc']);

const egressView = component(
  'EgressView',
  z.strictObject({
    node: described('Node id of an egress gateway of this IDC.', z.string()),
    sees: described(
      'reached: a health check of some Group through the gateway passes; failing: none does, and some fail; unknown: nothing that was read checks it.',
      z.enum(['reached', 'failing', 'unknown']),
    ),
    why: described('Why it may not be sent to.', z.array(hostReason)),
    groups: described('Groups that were read and have the gateway.', z.int()),
  }),
);

const peerGateway = component(
  'PeerGateway',
  z.strictObject({
    idc: z.string(),
    address: described('IP:PORT of its listener for other IDCs.', z.string()),
    probe: described(
      "The control plane's own probe, made for this answer: refused: no connection; silent: a connection, and no answer to the preface of HTTP/2.",
      z.enum(['answers', 'refused', 'silent']),
    ),
    egress: z.array(egressView),
  }),
);

const network = component(
  'Network',
  z.strictObject({
    idc: described('The IDC that this control plane decides for.', z.string()),
    at: described('When the reading began, RFC 3339.', z.string()),
    xds: described('IP:PORT where it listens for proxies.', z.string()),
    idcs: described(
      'All IDCs, as its registry declares them.',
      z.array(
        z.strictObject({
          idc: z.string(),
          controlPlanes: strings,
          gateways: z.array(
            z.strictObject({
              role: z.enum(['ingress', 'egress']),
              addresses: described(
                'ingress: for clients, for other IDCs; egress: for sidecars, for ingress gateways.',
                strings,
              ),
            }),
          ),
        }),
      ),
    ),
    peers: described("The other IDCs' ingress gateways; at most 64.", z.array(peerGateway)),
    readAt: described('Node ids of the egress gateways that were read.', strings),
    silent: described(
      'Egress gateways that could not be read.',
      z.array(z.strictObject({ node: z.string(), role, why: z.string() })),
    ),
  }),
);

/** The addresses of all IDCs, and which gateways of other IDCs answer, as one control plane knows it. */
export type NetworkReport = Json<z.output<typeof network>>;

/** An ingress gateway of another IDC in it. */
export type PeerGateway = NetworkReport['peers'][number];

/** What an egress gateway sees of it. */
export type EgressView = PeerGateway['egress'][number];

/** As in the configuration file; null: none. */
const settingValue = z.union([z.string(), z.number(), z.boolean(), strings, z.null()]);

const setting = component(
  'Setting',
  z.strictObject({
    name: described('Its place in the configuration file, such as xds.listen.', z.string()),
    value: settingValue,
    default: settingValue,
    from: z.enum(['default', 'file', 'environment', 'flag']),
    at: described('FILE:LINE, the flag, or the variable.', z.string()).nullable(),
    flag: z.string(),
    variable: z.string(),
  }),
);

/** Input and output of the questions of `isthmus check` and `isthmus bug-report`. */
export const networkContract = {
  getNetwork: {
    tag: 'status',
    takesAnyQuery: true,
    query: z.strictObject({}),
    summary: 'The addresses of all IDCs, and whether gateways of other IDCs answer',
    description:
      'Reads the clusters of at most eight connected egress gateways once, of a few Groups that may cross to each IDC, and probes the ingress gateways of the other IDCs. The answer may be 5 s old.',
    help: 'addresses of all IDCs; which gateways of other IDCs answer (JSON)',
    answers: { 200: { description: 'By IDC and gateway.', schema: network } },
  },
  getSettings: {
    tag: 'status',
    takesAnyQuery: true,
    query: z.strictObject({}),
    summary: 'The configuration in force, with the origin of each value',
    description: 'As `isthmus config print -o json` shows it. No value is a secret: those are in files.',
    help: 'the configuration in force, and the origin of each value (JSON)',
    answers: {
      200: {
        description: 'All options.',
        schema: component('Settings', z.strictObject({ options: z.array(setting) })),
      },
    },
  },
  checkToken: {
    tag: 'status',
    takesAnyQuery: true,
    query: z.strictObject({}),
    needsToken: true,
    summary: 'Whether a token is accepted',
    description: 'Changes nothing. 401 for a wrong token, 403 where the control plane has none.',
    help: 'whether the token is accepted, and what it is for (JSON)',
    answers: {
      200: {
        description: 'It is accepted.',
        schema: component(
          'TokenUses',
          z.strictObject({
            registrations: described('Instances may register (`--registrations`).', z.boolean()),
            evacuations: described('Evacuations may be put (`--state`).', z.boolean()),
          }),
        ),
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
