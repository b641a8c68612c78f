/** An IDC of the quickstart: addresses of loopback stand for its machines. */
export interface QuickIdc {
  readonly name: string;
  /** The end of names of its parts: `ingress-a`. */
  readonly letter: string;
  /** IP addresses of its machines. */
  readonly control: string;
  readonly ingress: string;
  readonly egress: string;
  readonly instance: string;
}

/** The IDCs. No drill has these addresses: they are free next to one. */
export const quickIdcs: readonly [QuickIdc, QuickIdc] = [quickIdc('a', 11), quickIdc('b', 12)];

/** The address of the workload in the first IDC that calls the Group. */
const callerAddress = '127.11.1.2';

/** The port of the admin interface of each Envoy, at the address of its machine. */
const envoyAdminPort = 15000;

/** The host of the Group. */
export const quickHost = 'checkout.shop';

/** The file with the token that changes at the control planes need, from the folder of the quickstart. */
export const quickTokenFile = 'token';

/** The control plane that is asked; with `--all-idcs` it names the others. */
const asked = `--admin ${quickIdcs[0].control}:15014`;

/** A process of the quickstart. */
export interface QuickPart {
  readonly name: string;
  /** What it is, in words. */
  readonly what: string;
  /** The command line in parts that each fit a line; `isthmus`, `envoy` and `node` come first. */
  readonly command: readonly string[];
}

/** An Envoy of the quickstart, with the arguments of `isthmus bootstrap`, in parts that each fit a line. */
export interface QuickEnvoy extends QuickPart {
  readonly bootstrap: readonly string[];
  /** The file of the bootstrap, from the folder of the quickstart. */
  readonly file: string;
}

/** A request to an entrance. */
export interface QuickRequest {
  readonly what: string;
  readonly url: string;
  /** The instance that answers. */
  readonly answeredBy: string;
}

/** The control planes, one for each IDC. */
export const quickControls: readonly QuickPart[] = quickIdcs.map(({ name, letter, control }) => ({
  name: `control-${letter}`,
  what: `control plane of ${name}`,
  command: [
    `isthmus serve --idc ${name} --config config --state state/control-${letter}`,
    `--xds ${control}:15010 --admin ${control}:15014 --admin-token-file ${quickTokenFile}`,
  ],
}));

/** The workloads. */
export const quickApps: readonly QuickPart[] = quickIdcs.map(({ name, letter, instance }) => ({
  name: `app-${letter}`,
  what: `instance in ${name}`,
  command: [`node app.mjs checkout-${letter} ${instance} 9080`],
}));

/** The Envoys next to the workloads. */
export const quickSidecars: readonly QuickEnvoy[] = quickIdcs.map((idc) =>
  quickEnvoy(
    `checkout-${idc.letter}`,
    `sidecar of the instance in ${idc.name}`,
    'sidecar',
    idc,
    idc.instance,
    [`--namespace shop --inbound ${idc.instance}:8080 --app ${idc.instance}:9080`],
  ),
);

/** The gateways. */
export const quickGateways: readonly QuickEnvoy[] = quickIdcs.flatMap((idc) => [
  quickEnvoy(`ingress-${idc.letter}`, `ingress gateway of ${idc.name}`, 'ingress', idc, idc.ingress, [
    `--edge ${idc.ingress}:8080 --peer ${idc.ingress}:15443`,
  ]),
  quickEnvoy(`egress-${idc.letter}`, `egress gateway of ${idc.name}`, 'egress', idc, idc.egress, [
    `--sidecar-listen ${idc.egress}:15444 --ingress-listen ${idc.egress}:15445`,
  ]),
]);

/** The Envoy next to the workload that calls. */
export const quickCaller: QuickEnvoy = quickEnvoy(
  'caller-a',
  `sidecar of a caller in ${quickIdcs[0].name}`,
  'sidecar',
  quickIdcs[0],
  callerAddress,
  [`--namespace shop --outbound ${callerAddress}:15001`],
);

/** All Envoys. */
export const quickEnvoys: readonly QuickEnvoy[] = [...quickSidecars, ...quickGateways, quickCaller];

/** Requests to the sidecars of instances, past all gateways: what answers here is an instance. */
export const quickInstanceRequests: readonly QuickRequest[] = quickIdcs.map(({ letter, name, instance }) => ({
  what: `the instance in ${name}, through its sidecar`,
  url: `http://${instance}:8080/`,
  answeredBy: `checkout-${letter}`,
}));

/** One request to each entrance. */
export const quickRequests: readonly QuickRequest[] = [
  {
    what: 'the caller in sh-a, through its sidecar',
    url: `http://${callerAddress}:15001/`,
    answeredBy: 'checkout-a',
  },
  ...quickIdcs.map(({ letter, name, ingress }) => ({
    what: `a client of ${name}, through its ingress gateway`,
    url: `http://${ingress}:8080/`,
    answeredBy: `checkout-${letter}`,
  })),
  {
    what: 'the egress gateway of sh-a, as a sidecar uses it that has no instance near',
    url: `http://${quickIdcs[0].egress}:15444/`,
    answeredBy: 'checkout-b',
  },
];

/** The commands that ask the control planes: what each tells, and its command line in parts. */
export const quickQuestions: readonly { readonly what: string; readonly command: readonly string[] }[] = [
  {
    what: 'who serves the host, with health and shares as the Envoys of each IDC have them',
    command: [`isthmus who ${quickHost} ${asked} --all-idcs`],
  },
  {
    what: 'the way of a request of the caller',
    command: [`isthmus explain --from ${quickIdcs[0].name}/${quickCaller.name} --host ${quickHost}`, asked],
  },
  {
    what: 'which proxy has which configuration',
    command: [`isthmus status ${asked} --all-idcs`],
  },
  {
    what: 'hosts and proxies by load',
    command: [`isthmus top ${asked} --all-idcs`],
  },
  {
    what: 'what happened: changes, pushes, failovers',
    command: [`isthmus events --since 10m ${asked} --all-idcs`],
  },
  {
    what: 'whether addresses, ports, clocks, gateways and versions are as they should be',
    command: [`isthmus check ${asked} --all-idcs --token-file ${quickTokenFile}`],
  },
  {
    what: 'until a change of config/ is in force everywhere, for scripts',
    command: [`isthmus wait ${asked} --all-idcs`],
  },
];

/** The commands that take an instance out of use and put it back. */
export const quickDrain: readonly { readonly what: string; readonly command: readonly string[] }[] = [
  {
    what: 'no new requests to checkout-a; --force, since it is the last instance in sh-a',
    command: ['isthmus drain checkout-a --force --until-idle', `${asked} --token-file ${quickTokenFile}`],
  },
  {
    what: 'it takes requests again',
    command: ['isthmus undrain checkout-a', `${asked} --token-file ${quickTokenFile}`],
  },
];

/** The command line of a request. */
export function curlOf({ url }: QuickRequest): string {
  return `curl -H 'Host: ${quickHost}' ${url}`;
}

/** A command line over several lines. */
export function commandLines(parts: readonly string[]): string {
  return parts.join(' \\\n  ');
}

/** IDC `sh-LETTER`, on `127.NUMBER.0.0/16`. */
function quickIdc(letter: string, number: number): QuickIdc {
  const at = (rest: string) => `127.${number}.${rest}`;
  return {
    ...{ name: `sh-${letter}`, letter },
    ...{ ingress: at('0.1'), egress: at('0.2'), control: at('0.9'), instance: at('1.1') },
  };
}

/** An Envoy on the machine with this address. */
function quickEnvoy(
  name: string,
  what: string,
  role: string,
  { name: idc, control }: QuickIdc,
  machine: string,
  listening: readonly string[],
): QuickEnvoy {
  const file = `envoy/${name}.yaml`;
  return {
    ...{ name, what, file },
    bootstrap: [
      `isthmus bootstrap --role ${role} --idc ${idc} --id ${name}`,
      `--xds ${control}:15010 --admin ${machine}:${envoyAdminPort}`,
      ...listening,
    ],
    // Several Envoys on one machine share nothing only without hot restart.
    command: [`envoy -c ${file} --disable-hot-restart --concurrency 1 -l warning`],
  };
}
