import { evacuationLimits } from '../../model/evacuation.ts';
import { healthLimits } from '../../model/health.ts';
import { failbackDefaults, idcNamePattern, roundTripLimits } from '../../model/idc.ts';
import type { CelRule, Structural } from './structural.ts';

/** Additions to a schema, by the path of their node below `spec`. */
export type Amendments = Readonly<Record<string, Structural>>;

const cel = (...rules: CelRule[]): Structural => ({ 'x-kubernetes-validations': rules });

/** A host as `isHost` has it, in any case and with or without the root's dot. */
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
/** A host, or `*.` and one. */
export const hostText = { maxLength: 254, pattern: `^(?:\\*\\.)?(?:${label}\\.)*${label}\\.?$` } as const;
/** A value of a label. */
export const labelText = {
  maxLength: 63,
  pattern: '^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$',
} as const;

const labelKeys = cel({
  rule: "self.all(key, key.matches('^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$'))",
  message:
    'has a key that is not a label key: use up to 63 letters, digits, -, _, ., with an optional domain/ before.',
});

const selectorAmendments: Amendments = {
  'selector.matchLabels': { minProperties: 1, maxProperties: 32, ...labelKeys },
  'selector.matchLabels{}': labelText,
};

/** Each listener of a kind of gateway has an address of its own. */
function apart(first: string, second: string): Structural {
  const takes = (port: string) => `(h.${port} == g.${first} || h.${port} == g.${second})`;
  return {
    maxItems: 64,
    ...cel({
      rule: `self.all(g, g.${first} != g.${second} && self.filter(h, h.address == g.address && (${takes(first)} || ${takes(second)})).size() == 1)`,
      message: `has two listeners at one address and port: give each ${first} and ${second} its own.`,
    }),
  };
}

const ownAddress = cel({
  rule: '!isIP(self) || !ip(self).isUnspecified()',
  message: 'is an address to listen on, not to connect to: give its own IP address.',
});

export const idcAmendments: Amendments = {
  ingress: apart('edgePort', 'peerPort'),
  egress: apart('sidecarPort', 'ingressPort'),
  'ingress[].address': ownAddress,
  'egress[].address': ownAddress,
};

const between = (msMin: number, msMax: number, message: string): Structural =>
  cel({
    rule: `duration(self) >= duration('${msMin}ms') && duration(self) <= duration('${msMax}ms')`,
    message,
  });

const traffic = cel(
  {
    rule: "!has(self.timeout) || !has(self.perTryTimeout) || duration(self.timeout) == duration('0s') || duration(self.perTryTimeout) <= duration(self.timeout)",
    message: 'is longer than `timeout`: one try would use up all the time. Shorten it.',
    fieldPath: '.perTryTimeout',
  },
  {
    rule: "!has(self.hedge) || !self.hedge || !has(self.perTryTimeout) || duration(self.perTryTimeout) > duration('0s')",
    message: 'is 0, and `hedge` begins another try after it: give a time, or remove one of the two.',
    fieldPath: '.perTryTimeout',
  },
);

const interval = cel({
  rule: `duration(self) >= duration('${healthLimits.intervalMsMin}ms')`,
  message: `is too short: give at least ${healthLimits.intervalMsMin}ms.`,
});

const spec = cel(
  {
    rule: 'has(self.hosts) || has(self.selector)',
    message: 'names no Groups: give `hosts`, or a `selector` for labels of ServiceEntries.',
  },
  {
    rule: 'self.idcs.all(i, has(i.weight)) || self.idcs.all(i, !has(i.weight))',
    message: 'has a weight for some IDCs alone: give all a weight, or none.',
    fieldPath: '.idcs',
  },
  {
    rule: '!has(self.capacity) || !has(self.capacity.idcs) || self.capacity.idcs.all(name, self.idcs.exists(i, i.name == name))',
    message: 'names an IDC that is not among spec.idcs: correct the name, or add it there.',
    fieldPath: '.capacity.idcs',
  },
);

const { rampMs, msMax } = { ...failbackDefaults, rampMs: 1_000 };

export const drGroupAmendments: Amendments = {
  '': spec,
  hosts: { minItems: 1, 'x-kubernetes-list-type': 'set' },
  'hosts[]': hostText,
  ...selectorAmendments,
  idcs: { maxItems: 64, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
  'idcs[].name': { maxLength: 32 },
  'capacity.idcs': { maxProperties: 64 },
  traffic,
  'traffic.roundTrip': between(
    roundTripLimits.msMin,
    roundTripLimits.msMax,
    `is no round trip between IDCs: give ${roundTripLimits.msMin}ms to ${roundTripLimits.msMax}ms.`,
  ),
  'traffic.retryBodyLimit': cel({
    rule: "type(self) == int || quantity(self).compareTo(quantity('64Mi')) <= 0",
    message: 'is too much: give at most 64Mi.',
  }),
  'traffic.health': {
    anyOf: [
      { required: ['path'] },
      { required: ['grpc'] },
      { required: ['ports'] },
      { required: ['enabled'], properties: { enabled: { enum: [false] } } },
    ],
  },
  'traffic.health.interval': interval,
  'traffic.health.ports': { maxProperties: 64 },
  'traffic.health.ports{}.interval': interval,
  'failback.ramp': between(rampMs, msMax, `must be from ${rampMs}ms to 1h.`),
  'failback.hold': between(0, msMax, 'is too long: give at most 1h.'),
};

const hours = evacuationLimits.lastsMsMax / 3_600_000;

export const evacuationAmendments: Amendments = {
  '': cel(
    {
      rule: '!has(self.starts) || self.expires > self.starts',
      message: 'is not after `starts`: it would never be in force.',
      fieldPath: '.expires',
    },
    {
      rule: `!has(self.starts) || self.expires - self.starts <= duration('${hours}h')`,
      message: `is more than ${hours} hours after \`starts\`: end it sooner, and renew it when it is needed.`,
      fieldPath: '.expires',
    },
    {
      rule: '!has(self.steps) || has(self.starts)',
      message: 'needs `starts`: the steps are counted from there, by every control plane alike.',
      fieldPath: '.steps',
    },
    {
      rule: '!has(self.stepSeconds) || has(self.steps)',
      message: 'has no effect without `steps`: remove it, or give steps.',
      fieldPath: '.stepSeconds',
    },
    {
      rule: '!has(self.steps) || self.steps.all(step, step <= (has(self.percent) ? self.percent : 100))',
      message: 'has a step that is more than `percent`: let them end there.',
      fieldPath: '.steps',
    },
  ),
  'groups[]': hostText,
  ...selectorAmendments,
  steps: cel({
    rule: 'self.isSorted() && self.all(step, self.indexOf(step) == self.lastIndexOf(step))',
    message: 'has a step that is not more than the one before: let them rise.',
  }),
};

/** Names of Idcs: they become parts of headers, and of names at Envoy. */
export const idcNameRule: CelRule = {
  rule: `self.metadata.name.matches('${idcNamePattern.source}')`,
  message: "metadata.name is not a name for an IDC: use 1 to 32 of a-z, 0-9 and '-', not '-' first or last.",
};
