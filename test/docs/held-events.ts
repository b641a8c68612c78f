import type { Held } from './held-proxies.ts';

/** Of events, and of commands that ask for them and for other things. */
export const heldByEvents: readonly Held[] = [
  ['`isthmus events`', '1h, at most 168h', 'src/contract/events.ts', 'sinceMsMax: 7 * 86_400_000'],
  ['`isthmus events`', '1h', 'src/cli/commands/look/events.ts', "'how far back', '1h'"],
  [
    'events that are kept',
    '10,000; 4,000; 7 days',
    'src/events/journal.ts',
    'events: 10_000,\n  /** Of one kind: a storm of one must not push out the others. */\n  ofKind: 4_000,\n  ageMs: 7 * 86_400_000,',
  ],
  [
    'events of one kind',
    '500 at once, 10 a minute',
    'src/events/journal.ts',
    'burst: 500,\n  perMinute: 10,',
  ],
  ['events on disk', '4 MiB', 'src/events/journal-file.ts', 'bytes: 4 * 2 ** 20,'],
  ['events on disk', '2,000 wait', 'src/events/journal-file.ts', 'pending: 2_000,'],
  ['events on disk', 'every 5 s', 'src/events/journal-file.ts', 'again: 5_000,'],
  ['events on disk', 'each 10 s', 'src/events/journal-file.ts', 'alive: 10_000,'],
  ['clients that wait for the next event', '64', 'src/events/journal.ts', 'waiting: 64,'],
  ['changes that were read together', '20; 10', 'src/delivery/change-log.ts', 'toldMax = 20;'],
  ['changes that were read together', '20; 10', 'src/events/field-changes.ts', 'fields: 10,'],
  [
    'a foreign text in an event',
    '300 bytes; 120; 1,000',
    'src/events/cut.ts',
    '{ text: 300, value: 120, problem: 1_000 }',
  ],
  ['the same refusal of several', '10 s', 'src/events/repeats.ts', 'windowMs: 10_000,'],
  [
    'a control plane that a command asks, and that hangs',
    '3 s without a byte',
    'src/client/answers/silence.ts',
    '{ askAfterMs: 1_000, hangsAfterMs: 3_000 }',
  ],
  ['`--all-idcs` while a named', '0.5 s', 'src/cli/ask-idcs.ts', 'patienceMs = 500;'],
  [
    'a gateway that is lost, or a problem that begins, again',
    'quiet for 1 s, at the latest after 10 s',
    'src/events/flaps.ts',
    'againMs: 10_000, quietMs: 1_000, mostMs: 10_000',
  ],
  ['problems that begin or end together', '20', 'src/delivery/problems/problem-log.ts', 'toldMax = 20;'],
  ['a Group without an instance', 'after 1 s', 'src/plan/failback.ts', 'goneMs: 1_000,'],
  [
    'egress gateways that are read',
    '2; 50; 2 of 1 s',
    'src/who/gateways/takers.ts',
    'groupsMax: 50, egressMax: 2',
  ],
  ['egress gateways that are read', '2; 50; 2 of 1 s', 'src/who/gateways/exits.ts', 'failuresMax = 2;'],
  [
    'egress gateways that are read',
    '2; 50; 2 of 1 s',
    'src/plane/connect.ts',
    'connectMs: 500, answerMs: 500',
  ],
  ['ingress gateways are read', 'each 2 s; 50; 8; 2', 'src/who/rounds.ts', 'every: 2_000,'],
  ['ingress gateways are read', 'each 2 s; 50; 8; 2', 'src/who/rounds.ts', 'groups: 50,'],
];
