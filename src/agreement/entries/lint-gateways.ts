import type { Idc } from '../../model/idc.ts';
import { type PathPart, renderPath } from '../../model/values/field-path.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import type { Lint } from '../lint.ts';

/** A port of a gateway. */
interface Door {
  readonly idc: Idc;
  readonly path: readonly PathPart[];
  readonly at: ListenAddress;
  /** Other IDCs connect to it: its address means the same in all of them. */
  readonly isPeer: boolean;
}

/** One address and port for two gateways: told once for an Idc. */
export function lintGateways(idcs: readonly Idc[]): Lint[] {
  const taken = new Map<string, Door[]>();
  const lints = new Map<Idc, Lint>();
  for (const door of idcs.flatMap(doorsOf)) {
    const address = showAddress(door.at);
    const before = taken.get(address) ?? [];
    taken.set(address, [...before, door]);
    const other = before.find(({ idc, isPeer }) => idc === door.idc || isPeer || door.isPeer);
    if (other === undefined || lints.has(door.idc)) continue;
    const whose =
      other.idc === door.idc
        ? renderPath(other.path)
        : `${renderPath(other.path)} of Idc ${other.idc.meta.name}`;
    const message = `${address} is ${whose} too: requests for one gateway reach the other. Give each its own address or port.`;
    lints.set(door.idc, { code: 'SharedAddress', object: door.idc, path: door.path, message });
  }
  return [...lints.values()];
}

function doorsOf(idc: Idc): Door[] {
  const { ingress, egress } = idc.spec;
  const door = (kind: string, index: number, field: string, address: string, port: number): Door => {
    return { idc, path: ['spec', kind, index, field], at: { address, port }, isPeer: field === 'peerPort' };
  };
  return [
    ...ingress.flatMap(({ address, edgePort, peerPort }, i) => [
      door('ingress', i, 'edgePort', address, edgePort),
      door('ingress', i, 'peerPort', address, peerPort),
    ]),
    ...egress.flatMap(({ address, sidecarPort, ingressPort }, i) => [
      door('egress', i, 'sidecarPort', address, sidecarPort),
      door('egress', i, 'ingressPort', address, ingressPort),
    ]),
  ];
}
