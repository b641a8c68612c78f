import { z } from 'zod';
import { type Part, workloadsOf } from '../world/parts.ts';
import type { Topology } from '../world/topology.ts';
import { count, groupNameField, idcNameField } from './document/fields.ts';
import { noSuchName } from './document/names.ts';

const kinds = ['instances', 'ingress', 'egress', 'control', 'dns', 'site'] as const;

const target = z
  .strictObject({
    idc: idcNameField,
    what: z
      .enum(kinds, { error: `must be one of ${kinds.join(', ')}.` })
      .optional()
      .meta({
        description:
          'Instances with their sidecars, gateways, the control plane, the name server, or everything in the IDC.',
        default: 'instances',
      }),
    group: groupNameField.optional().meta({ description: 'With `instances`: only those of this Group.' }),
    count: count(1, 54).optional().meta({ description: 'How many of them, from the first; default: all.' }),
    only: z
      .array(z.string())
      .min(1)
      .optional()
      .meta({ description: 'Only those with these names, such as checkout-2.' }),
  })
  .meta({ description: 'A part of the world.' });

/** One part of the world, or several. */
export const targets = z.union([target, z.array(target).min(1)]);
export type FaultTarget = z.infer<typeof target>;
export type Targets = z.infer<typeof targets>;

/** The processes of targets, each once. */
export function partsOf(value: Targets, parts: readonly Part[]): Part[] {
  return [...new Set([value].flat().flatMap((each) => partsOfOne(each, parts)))];
}

function partsOfOne(
  { idc, what = 'instances', group, count, only }: FaultTarget,
  parts: readonly Part[],
): Part[] {
  if (what === 'site') return parts.filter((part) => part.idc === idc);
  const all =
    what === 'instances'
      ? workloadsOf(parts, idc, group)
      : parts.filter((part) => part.idc === idc && part.kind === what);
  const names = [...new Set(all.map(nameOf))];
  const wanted = (only ?? names).slice(0, count);
  return all.filter((part) => wanted.includes(nameOf(part)));
}

const nameOf = ({ proxy, idc }: Part): string => proxy?.name ?? idc;

/** Targets in words, such as `all instances of sh-a with their sidecars`. */
export function targetWords(value: Targets): string {
  return [value].flat().map(oneWords).join(' and ');
}

function oneWords({ idc, what = 'instances', group, count, only }: FaultTarget): string {
  if (only) return only.map((name) => `${idc}/${name}`).join(', ');
  if (what === 'site') return `everything in ${idc}: control plane, gateways, instances, callers`;
  if (what === 'control') return `the control plane of ${idc}`;
  if (what === 'dns') return `the name server of ${idc}`;
  const how = count === undefined ? 'all' : count === 1 ? 'one' : String(count);
  const plural = count === 1 ? '' : 's';
  if (what !== 'instances') return `${how} ${what} gateway${plural} of ${idc}`;
  if (group !== undefined) return `${how} ${group} instance${plural} of ${idc}`;
  return `${how} instance${plural} of ${idc} with ${count === 1 ? 'its sidecar' : 'their sidecars'}`;
}

const nameWords = {
  instances: 'instance',
  ingress: 'ingress gateway',
  egress: 'egress gateway',
} as const;

/** What is wrong with targets in a world: names that the world does not have. Paths are from the value. */
export function targetFaults(
  value: Targets,
  { idcs, groups }: Topology,
): { readonly path: readonly (string | number)[]; readonly message: string }[] {
  return [value].flat().flatMap((each, i) => {
    const at = Array.isArray(value) ? [i] : [];
    const idc = idcs.find(({ name }) => name === each.idc);
    if (!idc) {
      const names = idcs.map(({ name }) => name);
      return [{ path: [...at, 'idc'], message: noSuchName('IDC', each.idc, names) }];
    }
    const { what = 'instances', group } = each;
    if (what !== 'instances' && group !== undefined) {
      return [{ path: [...at, 'group'], message: 'applies only to instances: remove it.' }];
    }
    if (group !== undefined && !groups.some(({ name }) => name === group)) {
      const names = groups.map(({ name }) => name);
      return [{ path: [...at, 'group'], message: noSuchName('Group', group, names) }];
    }
    const own = {
      instances: idc.instances.filter((instance) => group === undefined || instance.group.name === group),
      ingress: idc.ingress,
      egress: idc.egress,
    };
    if (what === 'dns' && !idc.dns)
      return [{ path: [...at, 'what'], message: `does not exist in this world: no Group is \`named\`.` }];
    if (what === 'control' || what === 'dns' || what === 'site') return [];
    if (own[what].length === 0)
      return [{ path: at, message: `selects nothing: ${idc.name} has none of these.` }];
    const names = own[what].map(({ name }) => name);
    const missing = (each.only ?? []).find((name) => !names.includes(name));
    if (missing === undefined && (each.count ?? 0) > names.length) {
      const message = `there are only ${names.length} of these: ${names.join(', ')}.`;
      return [{ path: [...at, 'count'], message }];
    }
    if (missing === undefined) return [];
    const place = each.only?.indexOf(missing) ?? 0;
    return [{ path: [...at, 'only', place], message: noSuchName(nameWords[what], missing, names) }];
  });
}
