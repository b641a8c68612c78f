import { MeshError } from '../base/error.ts';
import { counted } from '../base/text/counted.ts';
import { didYouMean } from '../base/text/suggest.ts';
import type { GroupView, MeshView } from '../index/view.ts';
import { canonicalHost, patternsOf } from '../model/values/hostname.ts';
import type { GroupPlan } from '../plan/types.ts';
import { seesGroup } from '../translate/scopes.ts';
import type { AskedProxy } from './types.ts';

/** Where hosts are declared, and how their requests are planned. */
interface Declarations {
  /** The local IDC. */
  readonly idc: string;
  view(): MeshView;
  plansOf(host: string): readonly GroupPlan[];
}

/**
 * The declared host that `HOST` or `HOST:PORT` names, and its plans. Throws MeshError `not-found`, with the
 * nearest host, or the ports that there are.
 */
export function findDeclared(
  { view, plansOf, idc }: Declarations,
  text: string,
): { readonly host: string; readonly plans: readonly GroupPlan[] } {
  const { groups } = view();
  const asked = canonicalHost(text.trim());
  const [, bare = asked, port] = /^(.*?)(?::(\d+))?$/.exec(asked) ?? [];
  const host = [...patternsOf(bare)].find((one) => groups.has(one));
  if (host === undefined) {
    const words = groups.size === 0 ? 'it has no Groups' : `it has ${counted(groups.size, 'host')}`;
    throw new MeshError(
      'not-found',
      `the registry of ${idc} declares no host '${bare}': ${words}.${didYouMean(bare, groups.keys())}`,
    );
  }
  const all = plansOf(host);
  if (all.length === 0)
    throw new MeshError(
      'not-found',
      `${host} is declared, but none of its ports can be served: isthmus status shows the problem`,
    );
  const plans = all.filter(({ group }) => port === undefined || group.port === Number(port));
  if (plans.length > 0) return { host, plans };
  const ports = [...new Set(all.map(({ group }) => group.port))].join(', ');
  throw new MeshError('not-found', `${host} has no port ${port}: it has ${ports}`);
}

/** Whether a plan is of this view of the host: callers may see different declarations. */
export function isPlanOf(view: GroupView | undefined, plan: GroupPlan): boolean {
  return view !== undefined && JSON.stringify(view.seenBy) === JSON.stringify(plan.seenBy);
}

/** Whether a proxy has the Group of a plan. */
export function seesPlan({ scope }: AskedProxy, { group, namespace, seenBy }: GroupPlan): boolean {
  return seesGroup(scope, { host: group.host, namespace, ...(seenBy && { seenBy }) });
}
