import type { GroupView } from '../index/view.ts';
import type { EvacuationStatus } from '../model/evacuation.ts';
import type { Idc } from '../model/idc.ts';
import type { LoopPrevention } from '../model/trail.ts';
import type { HungGateway } from '../plan/gateways.ts';
import type { GroupPlan } from '../plan/types.ts';
import type { AskedProxy, ProxyReading } from '../who/types.ts';
import type { CalledGateway } from './gateway-names.ts';
import type { ToldEnd } from './told.ts';

/** All that decides the way of one request. */
export interface WayFacts {
  /** The local IDC: only its proxies are read. */
  readonly idc: string;
  /** Where the request begins. */
  readonly caller: AskedProxy;
  readonly method: string;
  /** The declared host, as the caller sees it. */
  readonly view: GroupView;
  /** The plan of the requested port in each IDC; that of another IDC is by this registry. */
  readonly plans: ReadonlyMap<string, GroupPlan>;
  readonly idcs: ReadonlyMap<string, Idc>;
  /** The mesh's hop limit. */
  readonly hopLimit: number;
  readonly loopPrevention: LoopPrevention;
  readonly evacuations: readonly EvacuationStatus[];
  /** Gateways that local proxies are not sent to. */
  readonly hungGateways: readonly HungGateway[];
  /** Why local egress gateways take no request, whatever proxies say of them, by `IP:PORT`. */
  readonly lostExits: ReadonlyMap<string, string>;
  /** What the caller is called. */
  readonly callerLabel: string;
  /** What connected gateways are called, by their places (`IDC/KIND-NUMBER`). */
  readonly gateways: ReadonlyMap<string, CalledGateway>;
  /** Readings of the caller and of the local egress gateways. */
  readonly readings: readonly ProxyReading[];
  /** What is assumed to be down, or to be up: instances and ports of gateways, by `hostKey`. */
  readonly down: ReadonlySet<string>;
  readonly up: ReadonlySet<string>;
  /** What becomes of the request in other IDCs, where their control planes have been asked. */
  readonly told: ReadonlyMap<string, ToldEnd>;
}

/** Identifies an instance, or a port of a gateway, among those of all IDCs; `address`: `IP:PORT`. */
export function hostKey(idc: string, address: string): string {
  return `${idc} ${address}`;
}
