/** What is known to fail on some versions, and why; it is told, and is no miss. */
export interface Known {
  readonly versions: readonly string[];
  /** The names of the tests. */
  readonly tests: RegExp;
  readonly why: string;
}

/** What is tried on each Envoy. */
export interface Feature {
  readonly name: string;
  readonly files: readonly string[];
  readonly known?: readonly Known[];
}

const feature = (name: string) => `test/feature/${name}.test.ts`;

/** Arguments that an Envoy needs beside those of the newest, by version. */
export const extraArguments: Readonly<Record<string, readonly string[]>> = {
  // In a file they refuse `max_header_field_size_kb`, which 1.38 has brought; over xDS they pass over it.
  '1.36': ['--allow-unknown-static-fields'],
  '1.37': ['--allow-unknown-static-fields'],
};

/** The rows of the table, in its order. */
export const features: readonly Feature[] = [
  {
    name: 'messages, as Envoy reads them',
    files: ['test/translate/golden.test.ts'],
    known: [
      {
        versions: ['1.36', '1.37', '1.38'],
        tests: /^(by-name|unknown-hosts): a real Envoy accepts them/,
        why: 'hosts that nobody declared are not looked up: the matcher of addresses came later (docs/objects.md)',
      },
    ],
  },
  { name: 'xDS: State of the World, Delta', files: [feature('envoy-ads')] },
  { name: 'HTTP: paths, bodies, semantics', files: ['paths', 'bodies', 'http-semantics'].map(feature) },
  { name: 'health checks, ejection', files: ['health', 'outlier'].map(feature) },
  { name: 'TCP: near, to another IDC', files: ['tcp', 'tcp-idcs'].map(feature) },
  {
    name: 'TCP: every byte, whoever ends',
    files: [feature('tcp-whole')],
    known: [
      {
        versions: ['1.36', '1.38'],
        tests: /^(far: |near: a server's reset|near: also data that a client|control: )/,
        why: 'gateways lose the end of what a server sends before it closes, and a reset arrives as an end (docs/decisions/060)',
      },
      {
        versions: ['1.39'],
        tests: /^(near: also data that a client|control: )/,
        why: "a client's reset arrives as an end; the construction that the control goes back to is whole",
      },
    ],
  },
  {
    name: 'Wasm: trails, ECDS, traps',
    files: ['envoy', 'ecds', 'trap'].map((one) => `test/wasm/${one}.test.ts`),
    known: [
      {
        versions: ['1.36', '1.37'],
        tests: /^Envoy takes the documented fragments/,
        why: 'the control of that test, a field that there is not, is passed over by what they are started with',
      },
    ],
  },
];
