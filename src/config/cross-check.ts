import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { optionList } from './options.ts';
import type { Setting } from './setting.ts';

/** An option that requires another one, and why. */
interface Need {
  readonly of: string;
  readonly needs: string;
  readonly why: string;
}

const needs: readonly Need[] = [
  { of: 'registry.kubeContext', needs: 'registry.kubeconfig', why: 'it is a context of that file' },
  {
    of: 'registry.registrations',
    needs: 'admin.tokenFile',
    why: 'without a token no instance may register. Give a file with at least 16 characters',
  },
  {
    of: 'peers.admin',
    needs: 'registry.registrations',
    why: 'state of other control planes is stored there',
  },
  {
    of: 'peers.admin',
    needs: 'admin.tokenFile',
    why: 'control planes authenticate to each other by the token',
  },
];

/** Errors between options. */
export function crossFaults(
  settings: readonly Setting[],
): readonly { readonly about: Setting; readonly message: string }[] {
  const byName = new Map(settings.map((setting) => [setting.name, setting]));
  const faults = needs.flatMap(({ of, needs, why }) => {
    const about = byName.get(of);
    if (about?.value === undefined || byName.get(needs)?.value !== undefined) return [];
    return [{ about, message: `needs ${flagOf(needs)} (${needs}): ${why}` }];
  });
  return [
    ...faults,
    ...registryTwice(byName),
    ...kubernetesOnly(byName),
    ...sharedAddress(byName.get('xds.listen'), byName.get('admin.listen')),
  ];
}

/** Options that say where objects come from: one of them must be given. */
export const registryOptions: readonly string[] = [
  'registry.folder',
  'registry.kubeconfig',
  'registry.inCluster',
];

/** Objects are from one place: those of two could not be checked against each other as they come. */
function registryTwice(byName: ReadonlyMap<string, Setting>) {
  const given = registryOptions.flatMap((name) => {
    const setting = byName.get(name);
    return setting !== undefined && isGiven(setting) ? [setting] : [];
  });
  const [first, second] = given;
  if (first === undefined || second === undefined) return [];
  const message = `is given beside ${first.row.flag} (${first.name}): objects come from one place, give one of the two`;
  return [{ about: second, message }];
}

/** Options that mean something only of an API server, and why. */
const ofKubernetes: ReadonlyMap<string, string> = new Map([
  ['registry.discoveryNamespaces', 'a folder has no labels of namespaces'],
  ['registry.remotes', 'Remotes are registered in the API server of a Primary'],
]);

function kubernetesOnly(byName: ReadonlyMap<string, Setting>) {
  const isOfKubernetes = ['registry.kubeconfig', 'registry.inCluster'].some((name) => {
    const setting = byName.get(name);
    return setting !== undefined && isGiven(setting);
  });
  if (isOfKubernetes) return [];
  return [...ofKubernetes].flatMap(([name, why]) => {
    const about = byName.get(name);
    return about?.value === undefined
      ? []
      : [{ about, message: `needs --kubeconfig or --in-cluster: ${why}` }];
  });
}

/** Whether a setting that says where objects come from does so. */
export function isGiven({ value }: Pick<Setting, 'value'>): boolean {
  return value !== undefined && value !== false;
}

/** One address for both servers: the second could not be bound. */
function sharedAddress(xds: Setting | undefined, admin: Setting | undefined) {
  const [one, other] = [xds?.value, admin?.value] as (ListenAddress | undefined)[];
  if (!one || !other || !admin || !xds || one.port !== other.port || one.port === 0) return [];
  const isShared = one.address === other.address || [one, other].some(({ address }) => isAny(address));
  if (!isShared) return [];
  const [about, beside] = admin.origin.from === 'default' ? [xds, admin] : [admin, xds];
  const address = showAddress(beside.value as ListenAddress);
  return [{ about, message: `clashes with ${beside.name} (${address}): give one of them another port` }];
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function flagOf(name: string): string {
  return optionList.find((placed) => placed.name === name)?.row.flag ?? name;
}
