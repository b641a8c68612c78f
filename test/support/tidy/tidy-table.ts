/** What a folder of `src/` may import besides itself. */
export interface Allowance {
  readonly folders: readonly string[];
  /** Folders of which only types may be imported. */
  readonly types?: readonly string[];
  /** Packages, for all of the folder, or for the files named, by their paths in it. */
  readonly packages?: Readonly<Record<string, 'all' | readonly string[]>>;
  /** Packages of which the rest of the folder may import types. */
  readonly packageTypes?: readonly string[];
  /** Whether `node:` modules may be imported: not where everything is a pure function of its arguments. */
  readonly node: boolean;
}

/**
 * registry → index → plan → translate → xds: imports never point right. Registry and index meet only in
 * `model`; `xds` is a library of its own and knows none of the others. `protos` stands beside `src/`.
 */
export const allowances: Readonly<Record<string, Allowance>> = {
  base: { folders: [], node: true },
  model: { folders: ['base'], node: false },
  // Whether objects agree with each other: sources, the control plane and `validate` ask it.
  agreement: { folders: ['base', 'model'], node: false },
  // A client of the Kubernetes API: it knows objects of the API, and none of ours.
  kube: { folders: ['base'], packages: { 'js-yaml': 'all' }, node: true },
  registry: {
    folders: ['base', 'model', 'agreement', 'kube'],
    packages: { zod: 'all', yaml: 'all', 'js-yaml': 'all' },
    node: true,
  },
  index: { folders: ['base', 'model', 'agreement'], node: false },
  plan: { folders: ['base', 'model', 'index'], node: false },
  translate: {
    folders: ['base', 'model', 'index', 'plan'],
    // Of xds the table of resource types, by which a resource is said to be of one.
    types: ['protos', 'xds'],
    packages: { 'lru-cache': ['route/retry.ts'] },
    node: false,
  },
  xds: {
    folders: ['base', 'protos'],
    packages: {
      protobufjs: ['codec/codec.ts', 'codec/encode.ts'],
      'lru-cache': 'all',
    },
    // The codec hands its readers and writers to the files that it is made of.
    packageTypes: ['protobufjs'],
    node: true,
  },
  trail: { folders: ['base', 'model'], packages: { assemblyscript: 'all', 'lru-cache': 'all' }, node: true },
  // Identities, the certificate authority, and what keeps certificates; nothing of xDS.
  trust: {
    folders: ['base', 'model'],
    packages: { '@peculiar/x509': ['ca/issue.ts'], 'reflect-metadata': ['ca/issue.ts'] },
    node: true,
  },
  metrics: { folders: ['base'], packages: { 'prom-client': 'all' }, node: false },
  // What happened, in the log and in the journal; of the contract the events.
  events: { folders: ['base', 'model'], types: ['contract'], node: true },
  delivery: {
    folders: ['base', 'model', 'metrics', 'events'],
    packages: { 'hdr-histogram-js': 'all' },
    node: true,
  },
  // When a control plane is ready, and in which order proxies get what they listen with.
  rollout: { folders: ['base', 'model'], types: ['delivery'], node: false },
  // Asks instances whether they are well.
  probe: { folders: ['base', 'model'], node: true },
  failback: { folders: ['base', 'model', 'plan', 'probe', 'events'], node: true },
  // Reads proxies when somebody asks who serves a host.
  // Of the contract what it answers with.
  who: { folders: ['base', 'model', 'index', 'plan', 'translate'], types: ['contract'], node: true },
  // Plans and reads the way of a request when somebody asks; of the contract also the words for reasons.
  explain: { folders: ['base', 'model', 'index', 'plan', 'translate', 'who', 'contract'], node: false },
  // The control plane: the only room that sees all of them.
  plane: {
    folders: [
      ...['base', 'model', 'agreement', 'registry', 'index', 'plan', 'translate', 'xds', 'trail', 'delivery'],
      ...['metrics', 'rollout', 'failback', 'who', 'explain', 'events', 'trust'],
    ],
    // Of the contract the status that it answers with.
    types: ['contract'],
    node: false,
  },
  // What the admin server and its clients share.
  contract: { folders: ['model'], packages: { zod: 'all' }, node: false },
  // The admin server: what it answers with is the control plane's, the registries' and the guard's.
  api: {
    folders: ['base', 'model', 'registry', 'delivery', 'contract'],
    types: ['plane'],
    packages: { fastify: ['router.ts', 'admit-request.ts'], zod: ['openapi.ts'], yaml: ['write-openapi.ts'] },
    packageTypes: ['zod'],
    node: true,
  },
  client: {
    folders: ['base', 'model', 'contract'],
    types: ['registry'],
    packages: { undici: ['answers/http-call.ts'] },
    node: true,
  },
  // Sidecars for Pods: YAML is read as the registry's is, bootstraps are the translation's.
  inject: {
    folders: ['base', 'model', 'kube', 'registry', 'translate'],
    packages: {
      yaml: ['inject-text.ts'],
      '@peculiar/x509': ['webhook/certificate.ts'],
      'reflect-metadata': ['webhook/certificate.ts'],
    },
    node: true,
  },
  // Registers the Pods of one cluster in another: it knows objects of the API, and what a WorkloadEntry says.
  // To a control plane its Remotes are a source.
  registrar: { folders: ['base', 'model', 'kube', 'registry'], node: true },
  // How a control plane runs: files are read as the registry's are.
  config: {
    folders: ['base', 'model', 'registry'],
    packages: { zod: 'all', yaml: ['print.ts'] },
    node: true,
  },
  cli: {
    folders: [
      'base',
      'model',
      'config',
      'kube',
      'registry',
      'plan',
      'translate',
      'xds',
      'plane',
      'delivery',
      'drill',
      'probe',
      'failback',
      'events',
      'api',
      'client',
      'contract',
      'trust',
      'inject',
      'registrar',
    ],
    packages: { commander: 'all', pino: 'all', yaml: 'all' },
    node: true,
  },
  drill: {
    // Scenario files are read, and their objects checked, as the registry's are; light ADS clients speak the
    // protocol with the xDS library's own codec.
    folders: ['base', 'model', 'agreement', 'registry', 'translate', 'xds'],
    packages: {
      yaml: 'all',
      zod: 'all',
      // A workload that speaks gRPC, and the caller that calls it.
      '@grpc/grpc-js': ['upstream/upstream-grpc.ts', 'load/callers/load-grpc.ts', 'upstream/fleet.ts'],
    },
    node: true,
  },
};

/** What runs without being imported: with all that they import, these are what is alive in `src/`. */
export const entryPoints: readonly string[] = [
  'src/cli/main.ts', // the command
  'src/xds/xds.ts', // the library `isthmus/xds`
  'src/registry/parse/own/write-schemas.ts', // program: writes the JSON Schemas
  'src/registry/crd/write-crds.ts', // program: writes deploy/crds
  'src/api/write-openapi.ts', // program: writes docs/openapi.yaml
  'src/cli/process/stall-main.ts', // thread of cli/process/stall.ts
  'src/trail/compile-main.ts', // process of trail/compile-process.ts
  'src/registry/registrations/lease-worker.ts', // worker thread of registry/registrations/lease-store.ts
  'src/trust/ca/ca-worker.ts', // worker thread of trust/ca/ca-thread.ts
  'src/config/write-docs.ts', // make schemas
  'src/drill/scenario/write-schema.ts', // make schemas
  'src/drill/load/load-main.ts', // process: the load
  'src/drill/upstream/upstream-main.ts', // process: an instance of a Group
  'src/drill/upstream/fleet-main.ts', // process: light ADS clients
  'src/drill/process/warden-main.ts', // process: cleans up after a drill that was killed
  'src/drill/world/dns-main.ts', // process: the name server of an IDC
  'src/drill/faults/clock-step.ts', // imported before `isthmus serve`: steps its wall clock
];

/** Uses of the machine's own time or chance outside `src/base`, as `path: use`, each with its reason. */
export const ambientExemptions: Readonly<Record<string, string>> = {
  'src/drill/time.ts: process.hrtime':
    'a drill compares times across processes: its clock is that of the machine, not of the process',
};

/** The widest that a comment may be: as code. */
export const commentColumnsMax = 110;

/** The longest that a file may be. Beyond it, it holds more than one idea. */
export const linesMax = 400;

/** The most files that may lie flat in a folder of `src/`. */
export const flatMax = 15;

/** Folders of `src/` that hold more, each with its reason. */
export const flatExemptions: Readonly<Record<string, string>> = {
  'src/drill/scenarios': 'data: one file for each scenario, found by its name',
};

/** The longest that the README.md of a room may be. */
export const readmeLinesMax = 10;

/** The longest that a function may be, with all that it holds. */
export const functionLinesMax = 60;

/** Benches that judge nothing, each with its reason. */
export const unjudgedBenches: Readonly<Record<string, string>> = {
  'bench/all.ts': 'runs the others, and exits with 1 if one of them does',
};

const closure = 'a closure over its state, of inner functions that are short';

/** Functions that are longer, as `path name`, each with its reason. */
export const longFunctions: Readonly<Record<string, string>> = {
  'src/metrics/metrics.ts createMetrics': 'the table of all metrics: name, help and labels of each',
  'bench/fuzz-xds.ts run': 'a run from its beginning to its verdicts, in the order of time',
  'bench/hostile/scene.ts startScene': 'the world of the attacks: its parts share what changes',
  'src/cli/commands/bootstrap.ts bootstrapCommand': 'the table of its options, with their help',
  'src/cli/commands/run.ts runCommand': 'the table of its options, with their help',
  'src/delivery/problems/dependencies.ts describeDependencies': closure,
  'src/index/instances.ts createInstances': closure,
  'src/index/selector.ts createLabelMatcher': closure,
  'src/index/store.ts createIndex': closure,
  'src/plane/pipeline.ts createPipeline': closure,
  'src/plane/source-feed.ts createSourceFeed': closure,
  'src/plane/status.ts createStatusReader': closure,
  'src/registry/files/claims.ts createClaims': closure,
  'src/registry/files/file-reader.ts createFileReader': closure,
  'src/registry/files/files-source.ts createFilesSource': closure,
  'src/registry/files/folder.ts createFolder': closure,
  'src/registry/files/objects-in-force.ts createObjectsInForce': closure,
  'src/registry/lastgood/retained-objects.ts createRetainedObjects': closure,
  'src/registry/lastgood/last-good-source.ts keepLastGood': closure,
  'src/registry/lastgood/loss-guard.ts createLossGuard': closure,
  'src/registry/merge/reconciler.ts createReconciler': closure,
  'src/registry/registrations/lease-clock.ts createLeaseClock': closure,
  'src/registry/registrations/peers.ts createPeers': closure,
  'src/registry/registrations/registrations-source.ts createRegistrationsSource': closure,
  'src/registry/registrations/replication.ts createReplication': closure,
};

/** Names that several files of `src/` export, each with its reason. */
export const sharedNames: Readonly<Record<string, string>> = {};

const inferred = 'the type of the table of options is inferred, and its declaration names it';

/** Exports that no other file names, as `path name`, each with its reason. */
export const unusedExports: Readonly<Record<string, string>> = {
  'src/config/option.ts OptionGroup': inferred,
  'src/config/option.ts OptionRow': inferred,
};

/** What the package exports: see `exports` in package.json. */
export const publicModules: readonly string[] = ['src/xds/xds.ts'];

/**
 * What other folders may import of those that have folders within, `base` and `model` apart, whose files are
 * words and tools for all, and `delivery`, of which nearly every file is a part of its own.
 */
export const faces: Readonly<Record<string, readonly string[]>> = {
  plan: [
    'evacuation/evacuation-effect.ts',
    'evacuation/evacuation-capacity.ts',
    'evacuation/evacuation.ts',
    'failback.ts',
    'gateways.ts',
    'group.ts',
    'health/priorities.ts',
    'passthrough.ts',
    'peers/peer-tls.ts',
    'planner.ts',
    'retries/retry.ts',
    'routes/route-scope.ts',
    'tcp.ts',
    'trail.ts',
    'types.ts',
    'zone.ts',
  ],
  registry: [
    'evacuations/evacuation-record.ts',
    'evacuations/evacuations-source.ts',
    'drains/drains-source.ts',
    'records/records-source.ts',
    'check/check-inputs.ts',
    'check/held-objects.ts',
    'check/read-inputs.ts',
    'files/one-document.ts',
    'files/read-objects.ts',
    'files/yaml.ts',
    'kubernetes/kubernetes-source.ts',
    'kubernetes/release-all.ts',
    'lastgood/last-good-source.ts',
    'merge/reconciler.ts',
    'merge/precedence.ts',
    'open.ts',
    'parse/fault.ts',
    'parse/object.ts',
    'parse/own/parse-strict.ts',
    'registrations/describe-peers.ts',
    'registrations/registration.ts',
    'registrations/registrations-source.ts',
    'registrations/replica.ts',
    'source.ts',
  ],
  translate: [
    'bootstrap.ts',
    'catalog.ts',
    'changes.ts',
    'group/alike.ts',
    'names.ts',
    'resources.ts',
    'scopes.ts',
  ],
  xds: ['codec/codec.ts', 'codec/resource-template.ts', 'events.ts', 'resource-types.ts', 'xds.ts'],
  drill: [
    'catalog.ts',
    'definition.ts',
    'drill.ts',
    'options.ts',
    'scenario/document/read.ts',
    'scenario/plan.ts',
    'suite/suite.ts',
  ],
};
