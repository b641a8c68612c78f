import { z } from 'zod';
import { methodPattern, trafficLimits } from '../../../model/annotations/annotations.ts';
import {
  edgeDefaults,
  edgeLimits,
  escapedSlashes,
  idcNamePattern,
  roundTripLimits,
  tlsModes,
  underscoreActions,
} from '../../../model/idc.ts';
import { ownApiVersion } from '../../../model/values/api-version.ts';
import { trustDomainMax, trustDomainPattern } from '../../../model/values/identity.ts';
import { sizePattern } from '../../../model/values/size.ts';
import { groupCapacity, groupClass, idcCapacity, retryBudget, spill } from './schema-capacity.ts';
import { evacuationSpec } from './schema-evacuation.ts';
import { duration, health, port } from './schema-health.ts';

/** Eight roots of 8 KiB. */
const rootsBytesMax = 64 * 1024;

/** Only addresses: gateways become endpoints of EDS, where Envoy takes no names. */
const gatewayAddress = z
  .union([z.ipv4(), z.ipv6()], {
    error: 'must be an IP address: gateways are endpoints, and Envoy looks up no names for those.',
  })
  .meta({
    description:
      'IP address at which other proxies reach the gateway. DNS names are not taken in this version.',
  });

const ingress = z
  .strictObject({
    address: gatewayAddress,
    edgePort: port.meta({ description: 'Where clients from outside enter.' }),
    peerPort: port.meta({ description: "Where other IDCs' egress gateways enter. Not for clients." }),
  })
  .meta({ description: 'An ingress gateway: an Envoy through which the IDC is entered.' });

const egress = z
  .strictObject({
    address: gatewayAddress,
    sidecarPort: port.meta({ description: "Where the IDC's own sidecars enter." }),
    ingressPort: port.meta({ description: "Where the IDC's own ingress gateways enter." }),
  })
  .meta({ description: 'An egress gateway: an Envoy through which requests leave the IDC.' });

const trustedProxies = z
  .strictObject({
    hops: z
      .int({ error: `must be a whole number from 0 to ${edgeLimits.hopsMax}.` })
      .min(0, `must be from 0 to ${edgeLimits.hopsMax}.`)
      .max(edgeLimits.hopsMax, `must be from 0 to ${edgeLimits.hopsMax}.`)
      .meta({ description: 'HTTP proxies in a row, each of which appends to X-Forwarded-For. 0: none.' }),
    from: z
      .array(
        z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], {
          error: "must be an IP address or a prefix such as '10.0.0.0/8'.",
        }),
      )
      .min(1, 'is empty: name a prefix, or remove it.')
      .max(edgeLimits.prefixesMax, `has too many prefixes: give up to ${edgeLimits.prefixesMax}.`)
      .optional()
      .meta({ description: 'Where the last of them connects from. Without it whoever connects is one.' }),
  })
  .meta({ description: 'Proxies in front of the edge whose X-Forwarded-* headers count.' });

const flag = (description: string, byDefault: boolean) =>
  z.boolean({ error: 'must be true or false.' }).optional().meta({ description, default: byDefault });
const choice = <T extends readonly [string, ...string[]]>(
  values: T,
  description: string,
  byDefault: T[number],
) =>
  z
    .enum(values, { error: `must be one of ${values.join(', ')}.` })
    .optional()
    .meta({ description, default: byDefault });
const limit = (max: number, description: string, byDefault: number) =>
  z
    .int({ error: `must be a whole number from 1 to ${max}.` })
    .min(1, `must be from 1 to ${max}.`)
    .max(max, `must be from 1 to ${max}.`)
    .optional()
    .meta({ description, default: byDefault });

export const edgeSpec = z
  .strictObject({
    trustedProxies: trustedProxies.optional(),
    proxyProtocol: z
      .enum(['required', 'optional'], { error: 'must be required or optional; leave it out for none.' })
      .optional()
      .meta({ description: 'Whether connections begin with a PROXY protocol header, v1 or v2.' }),
    escapedSlashes: choice(
      escapedSlashes,
      'What becomes of %2F and %5C in a path; redirect: 307 to the path with slashes.',
      edgeDefaults.escapedSlashes,
    ),
    mergeSlashes: flag('Whether // in a path becomes /.', edgeDefaults.mergeSlashes),
    normalizePath: flag(
      'Whether dot segments are resolved and needless escapes undone (RFC 3986, 6.2.2).',
      edgeDefaults.normalizePath,
    ),
    underscores: choice(
      underscoreActions,
      'Headers with an underscore in their name; drop: the header alone.',
      edgeDefaults.underscores,
    ),
    http10: flag('Whether HTTP/1.0 is answered.', edgeDefaults.http10),
    maxHeadersKiB: limit(
      edgeLimits.headersKiBMax,
      'All headers of a request, request line included, KiB.',
      edgeDefaults.maxHeadersKiB,
    ),
    maxHeaders: limit(edgeLimits.headersMax, 'Header lines of a request.', edgeDefaults.maxHeaders),
  })
  .meta({ description: "What the IDC's edge takes from clients, and whom it believes." });

export const idcSpec = z.strictObject({
  network: z
    .string()
    .min(1, 'is empty: remove it, or fill it in.')
    .max(253, 'is too long: give up to 253 characters.')
    .optional()
    .meta({
      description: 'Name of the network that the IDC is in. Kept for information.',
    }),
  trustDomain: z
    .string()
    .max(trustDomainMax, 'is too long: give up to 253 characters.')
    .regex(trustDomainPattern, "must be a name such as 'sh-a.example': a-z, 0-9, - and dots, at most 253.")
    .optional()
    .meta({
      description:
        "Trust domain of its certificates, `spiffe://TRUST-DOMAIN/idc/NAME/…`. No other IDC's authority is believed for it.",
    }),
  peerTls: z
    .strictObject({
      mode: z
        .enum(tlsModes, { error: `must be one of ${tlsModes.join(', ')}.` })
        .optional()
        .meta({
          description:
            'How its ingress gateways take what other IDCs send. accept: TLS too, and the others do not use it yet; use: the others use it, plaintext is still taken; require: TLS alone. Go one step at a time.',
          default: 'off',
        }),
      roots: z
        .string({ error: 'must be a text: the certificates of its authority in PEM.' })
        .max(rootsBytesMax, `is too long: give at most ${rootsBytesMax / 1024} KiB.`)
        .meta({
          description: "Certificates of the IDC's own authority in PEM: what others believe of its gateways.",
        }),
    })
    .optional()
    .meta({
      description: 'Mutual TLS between gateways of different IDCs (docs/trust.md). Needs `trustDomain`.',
    }),
  egressTls: z
    .enum(tlsModes, { error: `must be one of ${tlsModes.join(', ')}.` })
    .optional()
    .meta({
      description:
        'How its egress gateways take what its own sidecars and ingress gateways send: as `peerTls.mode`, whose steps it has. Needs `peerTls`. Proxies without a certificate go on in plaintext.',
      default: 'off',
    }),
  exposeOutcome: z.boolean({ error: 'must be true or false.' }).optional().meta({
    description: 'Whether clients at the edge see `x-isthmus-outcome`, which says why a request was refused.',
    default: false,
  }),
  exposeReady: z.boolean({ error: 'must be true or false.' }).optional().meta({
    description:
      'Whether the edge answers GET /.isthmus/ready, for GSLB and DNS: 200, and 503 while the whole IDC is evacuated.',
    default: false,
  }),
  edge: edgeSpec.optional(),
  controlPlanes: z
    .array(
      z
        .string()
        .regex(
          /^(?:\[[0-9a-fA-F:.]+\]|[0-9.]+):[0-9]{1,5}$/,
          'is not an address: write IP:PORT, or [IPv6]:PORT.',
        ),
    )
    .max(16, 'has too many addresses: give up to 16.')
    .optional()
    .meta({
      description:
        "Admin addresses of the IDC's control planes, for commands that ask all IDCs (`isthmus who --all-idcs`).",
    }),
  capacity: idcCapacity.optional(),
  ingress: z.array(ingress).min(1, 'must have at least one gateway, or nobody can enter the IDC.').meta({
    description: 'The ingress gateways.',
  }),
  egress: z.array(egress).min(1, 'must have at least one gateway, or nobody can leave the IDC.').meta({
    description: 'The egress gateways.',
  }),
});

const sizeError = "must be a number of bytes such as '4Mi', '512Ki' or 65536.";

const size = z.union(
  [
    z.string().regex(sizePattern, sizeError),
    z.int().min(0, sizeError).max(trafficLimits.retryBodyBytesMax, 'is too much: give at most 64Mi.'),
  ],
  { error: sizeError },
);

export const trafficSpec = z
  .strictObject({
    timeout: duration
      .optional()
      .meta({ description: 'The whole request, at the first proxy. 0, the default, means none.' }),
    idleTimeout: duration.optional().meta({
      description: 'A stream without a byte in either direction, at the first proxy. 0 means none.',
      default: '1h',
    }),
    retryBodyLimit: size.optional().meta({
      description:
        "Up to this size each hop keeps a request's body, so that it can be sent again. At most 64Mi; 0: none is kept.",
      default: '4Mi',
    }),
    perTryTimeout: duration.optional().meta({
      description:
        'One try, at the first proxy. A longer one is given up, and idempotent methods are tried again. 0, the default, means none.',
    }),
    hedge: z.boolean({ error: 'must be true or false.' }).optional().meta({
      description:
        'Whether another try begins beside one that outlasts `perTryTimeout` (400ms where it is absent): two may be executed at once.',
      default: false,
    }),
    sidecars: z.boolean({ error: 'must be true or false.' }).optional().meta({
      description:
        'Whether all instances stand behind sidecars of Isthmus: their addresses are those of `bootstrap --inbound`. Proxies then speak HTTP/2 to them, whose PING finds one that no longer answers.',
      default: false,
    }),
    retries: z
      .int({ error: `must be a whole number from 0 to ${trafficLimits.retriesMax}.` })
      .min(0, `must be from 0 to ${trafficLimits.retriesMax}.`)
      .max(trafficLimits.retriesMax, `must be from 0 to ${trafficLimits.retriesMax}.`)
      .optional()
      .meta({ description: 'Retries after the first try, at the first proxy.' }),
    idempotentMethods: z
      .array(z.string().regex(methodPattern, "must be an HTTP method in capitals, such as 'GET'."))
      .max(trafficLimits.methodsMax, `has too many methods: give up to ${trafficLimits.methodsMax}.`)
      .optional()
      .meta({
        description:
          'Methods that are sent again though an earlier try may have been executed. Default: GET, HEAD, OPTIONS, TRACE.',
        uniqueItems: true,
      }),
    roundTrip: duration.optional().meta({
      description:
        'The longest round trip between the IDCs: connections to other IDCs, and checks of them, wait for it. From 1ms to 2000ms.',
      default: `${roundTripLimits.msDefault}ms`,
    }),
    retryBudget: retryBudget.optional(),
    health: health.optional(),
  })
  .meta({
    description: "How requests are timed, retried and checked. A ServiceEntry's annotations override it.",
  });

export const failbackSpec = z
  .strictObject({
    ramp: duration.optional().meta({
      description: 'The share at home grows from 1 % to all over this time. From 1s to 1h.',
      default: '30s',
    }),
    hold: duration.optional().meta({
      description:
        'For so long half of the instances must be good, without a break, before the ramp begins; doubled by each failure on the way. At most 1h.',
      default: '10s',
    }),
    warmup: z.enum(['none', 'mirror'], { error: 'must be none or mirror.' }).optional().meta({
      description:
        'mirror: for the length of the ramp GET and HEAD are also sent home, more and more of them, and their answers thrown away; then all come home at once.',
      default: 'none',
    }),
  })
  .meta({
    description:
      'How requests come home to an IDC that had nobody left: little by little. Without it all at once. Needs a health path.',
  });

const idcChoice = z.strictObject({
  name: z.string().regex(idcNamePattern, "must be an IDC's name: 1 to 32 of a-z, 0-9 and '-'."),
  weight: z
    .int({ error: 'must be a whole number from 0 to 1000.' })
    .min(0, 'must be from 0 to 1000.')
    .max(1000, 'must be from 0 to 1000.')
    .optional()
    .meta({
      description:
        'Share of what another IDC cannot serve itself, relative to the others. 0: only when those with a weight cannot. Give all IDCs a weight, or none: then the order decides.',
    }),
});

export const drGroupSpec = z
  .strictObject({
    hosts: z.array(z.string().min(1, 'is empty: remove it, or fill it in.')).optional().meta({
      description: 'Hosts of the ServiceEntries that this is for. Give hosts, selector or both.',
    }),
    selector: z
      .strictObject({
        matchLabels: z.record(z.string(), z.string({ error: 'must be text: put it in quotes.' })),
      })
      .optional()
      .meta({ description: 'Labels in the metadata of the ServiceEntries that this is for.' }),
    idcs: z.array(idcChoice).min(2, 'must name at least two IDCs: one alone has nobody to stand in.').meta({
      description: 'The IDCs that stand in for each other, in the order in which they are tried.',
      uniqueItems: true,
    }),
    hopLimit: z
      .int({ error: 'must be a whole number from 0 to 4.' })
      .min(0, 'must be from 0 to 4.')
      .max(4, 'must be from 0 to 4.')
      .optional()
      .meta({ description: 'Most crossings between IDCs that a request may make.', default: 1 }),
    traffic: trafficSpec.optional(),
    capacity: groupCapacity.optional(),
    spill: spill.optional(),
    class: groupClass,
    failback: failbackSpec.optional(),
  })
  .meta({ anyOf: [{ required: ['hosts'] }, { required: ['selector'] }] });

const texts = z.record(z.string(), z.string());
/** What the API server of Kubernetes fills in is taken and not looked at. */
const filledIn = Object.fromEntries(
  [
    'uid',
    'resourceVersion',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generation',
    'generateName',
    'managedFields',
    'finalizers',
    'ownerReferences',
    'selfLink',
  ].map((name) => [name, z.unknown().optional()]),
);

function ownObject(
  kind: 'Idc' | 'DrGroup' | 'Evacuation',
  name: z.ZodString,
  spec: z.ZodObject,
  description: string,
) {
  return z
    .strictObject({
      apiVersion: z.literal(ownApiVersion),
      kind: z.literal(kind),
      metadata: z.strictObject({
        ...filledIn,
        name: name.meta({ description: `Name of the ${kind}; it has no namespace.` }),
        labels: texts.optional(),
        annotations: texts.optional(),
      }),
      spec,
      status: z.unknown().optional(),
    })
    .meta({ title: kind, description });
}

const objectName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

/**
 * Whole documents, for editors; `parse/object.ts` reads the metadata itself, as it does for Istio's kinds.
 */
export const documentSchemas = {
  Idc: ownObject(
    'Idc',
    z.string().regex(idcNamePattern),
    idcSpec,
    'A data centre, one failure domain, and the gateways through which it is entered and left.',
  ),
  DrGroup: ownObject(
    'DrGroup',
    z.string().regex(objectName),
    drGroupSpec,
    'The IDCs that stand in for each other for a set of Groups.',
  ),
  Evacuation: ownObject(
    'Evacuation',
    z.string().regex(objectName),
    evacuationSpec,
    'Takes requests away from an IDC for a time.',
  ),
} as const;
