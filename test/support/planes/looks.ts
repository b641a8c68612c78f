/** A command that answers a question. Words in capitals are addresses and folders of the test's world. */
interface LookRow {
  readonly command: string;
  /** Its arguments, without a format. */
  readonly ask: string;
  /** In `-o wide` alone; absent: it shows nothing more. */
  readonly wide?: RegExp;
  /** What its JSON and YAML have. */
  readonly data: object;
  /**
   * Arguments that end with each of its exit codes, in the state that the test prepares; 130 of what is
   * watched has tests of its own.
   */
  readonly exits: Readonly<Record<number, string | readonly string[]>>;
  /** In the answer of `--all-idcs -o json` alone; absent: it has no such option. */
  readonly everywhere?: RegExp;
  readonly watched?: true;
}

const explain = 'explain --admin ADMIN --from sh-a/caller --host one.test';

/** Each command that answers a question, as docs/commands.md lists them. */
export const looks: readonly LookRow[] = [
  {
    command: 'status',
    ask: 'status --admin ADMIN',
    wide: /CONNECTED SINCE/,
    data: {},
    exits: {
      0: ['status --admin ADMIN', 'status caller --admin ADMIN', 'status --admin ADMIN --all-idcs'],
      1: 'status --admin GONE --admin ADMIN',
      2: ['status --admin GONE', 'status callr --admin ADMIN'],
    },
    everywhere: /"id": "sh-b-ingress"/,
    watched: true,
  },
  {
    command: 'who',
    ask: 'who one.test --admin ADMIN --for 0s',
    wide: /USABLE AT +WEIGHT +ZONE +ENTRY/,
    data: [{ host: 'one.test', groups: [{ served: 'here', by: 'sh-a' }] }],
    exits: {
      0: 'who one.test --admin ADMIN --for 0s --all-idcs',
      1: 'who one.test --admin ADMIN --admin GONE --for 0s',
      2: ['who one.test --admin GONE', 'who ome.test --admin ADMIN'],
      3: 'who one.test --admin ADMIN --for 0s',
    },
    everywhere: /"idc": "sh-b",\n {4}"at"/,
    watched: true,
  },
  {
    command: 'top',
    ask: 'top --admin ADMIN --for 100ms',
    data: [{ idc: 'sh-a', arrived: [], proxies: [{ failed: 0 }, { failed: 0 }, { failed: 0 }] }],
    exits: {
      0: 'top --admin ADMIN --for 100ms --all-idcs',
      1: 'top --admin ADMIN --admin GONE --for 100ms',
      2: 'top --admin GONE --for 100ms',
    },
    everywhere: /"idc": "sh-b",\n {4}"at"/,
    watched: true,
  },
  {
    command: 'explain',
    ask: explain,
    wide: /^ +PRIORITY.* USABLE/m,
    data: { host: 'one.test', served: 'here', by: 'sh-a', hops: [{ health: 'proxies' }] },
    exits: {
      0: explain,
      1: `${explain} --if HERE=down`,
      2: [explain.replace('ADMIN', 'GONE'), explain.replace('caller', 'callr')],
      3: `${explain} --if HERE=down AWAY=down`,
    },
    watched: true,
  },
  {
    command: 'events',
    ask: 'events --admin ADMIN',
    wide: /CONTROL PLANE +ID +KIND/,
    data: [{ idc: 'sh-a', events: [] }],
    exits: { 0: 'events --admin ADMIN', 1: 'events --admin ADMIN --admin GONE', 2: 'events --admin GONE' },
    everywhere: /"idc": "sh-b",\n {4}"kept"/,
  },
  {
    command: 'diff',
    ask: 'diff DIR --admin ADMIN',
    data: [{ idc: 'sh-a', same: true }],
    exits: {
      0: 'diff DIR --admin ADMIN --all-idcs',
      1: 'diff DIR/all.yaml --admin ADMIN',
      2: ['diff DIR/none --admin ADMIN', 'diff DIR --admin GONE'],
    },
    everywhere: /"idc": "sh-b"/,
  },
  {
    command: 'wait',
    ask: 'wait --admin ADMIN --settle 0s',
    data: { goal: 'synced', isMet: true, reasons: [] },
    exits: {
      0: 'wait --admin ADMIN --settle 0s --all-idcs',
      1: 'wait --admin ADMIN --for 999999999 --timeout 0s',
      2: 'wait --admin GONE --timeout 0s',
    },
  },
  {
    command: 'config',
    ask: 'config caller --admin ADMIN',
    wide: /SENT +TO HAVE/,
    data: [{ node: 'caller', resources: [{ state: 'SYNCED' }] }],
    exits: {
      0: 'config sh-b-egress --admin ADMIN --all-idcs',
      1: 'config caller --admin ADMIN --admin GONE',
      2: ['config sh-b-egress --admin ADMIN', 'config caller --admin GONE'],
    },
    watched: true,
  },
  {
    command: 'instances',
    ask: 'instances --admin REGISTERING',
    wide: /LOCALITY +WEIGHT +TTL +LABELS +AT/,
    data: [{ namespace: 'shop', name: 'cart-1' }],
    exits: {
      0: 'instances --admin REGISTERING --namespace none',
      1: 'instances --admin REGISTERING --admin GONE',
      2: 'instances --admin GONE',
    },
    watched: true,
  },
  {
    command: 'evacuations',
    ask: 'evacuations --admin ADMIN',
    wide: /ORIGIN +CONTROL PLANES/,
    data: [{ name: 'planned', idc: 'sh-a', percentNow: 0, at: [{ idc: 'sh-a' }] }],
    exits: {
      0: 'evacuations --admin ADMIN --all-idcs',
      1: ['evacuations --admin ADMIN --admin GONE', 'evacuations --admin ADMIN --admin REGISTERING'],
      2: 'evacuations --admin GONE',
    },
    everywhere: /"idc": "sh-b"/,
    watched: true,
  },
  {
    command: 'capacity',
    ask: 'capacity --envoy CALLER --for 1s',
    wide: /REQUESTS\/S +DOUBTS/,
    data: { envoys: [{ id: 'caller' }], groups: [{ group: 'one.test:80' }] },
    exits: {
      0: 'capacity --envoy CALLER --for 2s',
      1: 'capacity --envoy CALLER --for 1s',
      2: 'capacity --envoy GONE --for 1s',
    },
  },
  {
    command: 'version',
    ask: 'version --admin ADMIN',
    wide: /CONNECTED +NODES/,
    data: { planes: [{ idc: 'sh-a' }], clients: [{ name: 'envoy' }] },
    exits: {
      0: ['version', 'version --admin ADMIN --all-idcs'],
      1: 'version --admin ADMIN --admin GONE',
      2: 'version --admin GONE',
    },
    everywhere: /"idc": "sh-b"/,
    watched: true,
  },
  {
    command: 'validate',
    ask: 'validate DIR',
    wide: /KIND +NAMESPACE +NAME +WHERE/,
    data: { ok: true, errors: 0 },
    exits: {
      0: ['validate DIR', 'validate DIR --live ADMIN'],
      1: 'validate FAULTY',
      2: ['validate DIR/none', 'validate DIR --live GONE'],
    },
  },
];
