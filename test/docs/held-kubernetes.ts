import type { Held } from './held-proxies.ts';

/** Of sidecars, webhook and capture in Kubernetes. */
export const heldByKubernetes: readonly Held[] = [
  ['`--revision`', 'default', 'src/inject/settings.ts', "revision: 'default',"],
  ['`--image`', 'envoyproxy/envoy:v1.40.0', 'src/inject/settings.ts', "image: 'envoyproxy/envoy:v1.40.0',"],
  ['`--image`', 'isthmus:latest', 'src/inject/settings.ts', "isthmusImage: 'isthmus:latest',"],
  ['`--readiness-gate`', 'group', 'src/cli/options/injection.ts', ".default('group'),"],
  ['`--drain-seconds`', '5 s', 'src/inject/settings.ts', 'drainSeconds: 5,'],
  ['`--drain-seconds`', '600', 'src/inject/pod-wishes.ts', 'drainSecondsMax = 600;'],
  [
    'processor and memory of a sidecar',
    '100m; 128Mi, limit 512Mi',
    'src/inject/pod-wishes.ts',
    "cpu: '100m', memory: '128Mi', memoryLimit: '512Mi'",
  ],
  [
    "the webhook's certificate",
    '90 d',
    'src/inject/webhook/certificate-keeper.ts',
    'validMs: 90 * 86_400_000,',
  ],
  [
    "the webhook's certificate",
    '30 d',
    'src/inject/webhook/certificate-keeper.ts',
    'renewMs: 30 * 86_400_000,',
  ],
  [
    "the webhook's certificate",
    '10 min',
    'src/inject/webhook/certificate-keeper.ts',
    'settleMs: 10 * 60_000,',
  ],
  ["the webhook's certificate", '60 s', 'src/inject/webhook/certificate-keeper.ts', 'lookMs: 60_000,'],
  ["the webhook's certificate", '2 s', 'src/inject/webhook/certificate-keeper.ts', 'retryMs: 2_000,'],
  ['the longest request of an API server', '8 MiB', 'src/inject/webhook/webhook-server.ts', '8 * 2 ** 20;'],
  ['`--port` and `--uid`', '15008; 1337', 'src/inject/settings.ts', 'capturePort: 15_008,'],
  ['`--port` and `--uid`', '15008; 1337', 'src/inject/settings.ts', 'uid: 1337,'],
  ['`--listen` of the webhook', '0.0.0.0:9443', 'src/cli/commands/kube/webhook.ts', "'0.0.0.0', port: 9443"],
  ['`--primary-namespace`', 'isthmus-system', 'src/cli/commands/kube/registrar.ts', "'isthmus-system')"],
  ['the Lease of a registrar', '5 s', 'src/kube/lease.ts', 'renewMs: 5_000, durationMs: 15_000 }'],
  [
    "a registrar's writes",
    '30 s',
    'src/registrar/entry-writer.ts',
    'firstMs: 200, maxMs: 10_000 }, refusedMs: 30_000',
  ],
  ["a registrar's writes", '8', 'src/registrar/entry-writer.ts', 'writersMax = 8;'],
  ['the weight of a Pod', '1000000', 'src/registrar/read-pod.ts', 'weightMax = 1_000_000;'],
  ['a Remote is stale', '60 s', 'src/registrar/remotes/remotes.ts', 'staleMs: 60_000, lookMs: 5_000'],
  ['a Remote is stale', '30 s', 'src/registrar/remotes/remotes.ts', 'removalMs: 30_000'],
];
