import type { Held } from './held-proxies.ts';

/** Of certificates. */
export const heldByTrust: readonly Held[] = [
  ['life of a certificate, `isthmus ca init --leaf-ttl`', '24 h', 'src/cli/commands/trust/ca.ts', "'24h'"],
  ['life of a root', '1825 days', 'src/cli/commands/trust/ca.ts', '.default(1825)'],
  ['a certificate is valid before', '1 min', 'src/trust/ca/issue.ts', 'backdateMs = 60_000'],
  ['a join token', '10 min', 'src/cli/commands/trust/ca.ts', "'10m'"],
  ['where an authority listens', '127.0.0.1:15016', 'src/cli/commands/trust/ca.ts', "'127.0.0.1:15016'"],
  ['renewal of a certificate', '45 to 55 %', 'src/trust/keep/identity-keeper.ts', '0.45 + '],
  ['an identity asks for the roots', '5 min', 'src/cli/commands/trust/identity.ts', "'5m'"],
  [
    'tries of an authority that does not answer',
    '1 to 60 s',
    'src/trust/keep/identity-keeper.ts',
    'firstMs: 1_000, mostMs: 60_000',
  ],
  [
    'a certificate that cannot be renewed is an error',
    '75 %',
    'src/trust/keep/identity-keeper.ts',
    'alarmShare = 0.75',
  ],
  [
    'level of `isthmus identity --log-level`',
    'info',
    'src/cli/commands/trust/identity.ts',
    "default('info')",
  ],
  ['a new root signs', '30 s', 'src/trust/ca/rotation.ts', 'settleMsDefault = 30_000'],
  ['admission of TLS connections', 'each 5 ms', 'src/xds/admission/admission.ts', 'handshakeMs = 5;'],
  ['`isthmus bootstrap --tls`', 'plaintext', 'src/cli/commands/bootstrap.ts', '(default: plaintext)'],
  ['how soon a replaced certificate', '1 s', 'src/trust/trust-watch.ts', 'lookMs = 1_000;'],
  ['a control plane’s certificate', 'quarter', 'src/plane/trust/stream-trust.ts', 'alarmShare = 0.25;'],
  ['requests that wait for an authority', '512', 'src/trust/ca/ca-thread.ts', 'pendingMax = 512'],
  ['a request to an authority', '16 KiB', 'src/trust/ca/ca-call.ts', '16 * 1024'],
  ['roots in a bundle', '16', 'src/trust/bundle.ts', 'rootsMax = 16'],
];
