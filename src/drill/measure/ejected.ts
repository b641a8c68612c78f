import { sleep } from '../../base/clock.ts';
import { machineClock } from '../time.ts';
import { askAdmin } from '../world/envoy.ts';
import type { Stage } from '../world/stage.ts';
import { type IdcPlan, idcOf } from '../world/topology.ts';

/** Who was ejected at a moment, by the caller's sidecar. */
export interface EjectionLook {
  readonly at: number;
  /** Such as `sh-a/checkout-1`. */
  readonly ejected: readonly string[];
}

interface ClusterStatuses {
  readonly cluster_statuses?: readonly {
    readonly name: string;
    readonly host_statuses?: readonly {
      readonly address?: {
        readonly socket_address?: { readonly address: string; readonly port_value: number };
      };
      readonly health_status?: { readonly failed_outlier_check?: boolean };
    }[];
  }[];
}

const everyMs = 100;

/** Looks at an IDC's caller again and again, until a moment. */
export async function watchEjected(stage: Stage, idcName: string, untilMs: number): Promise<EjectionLook[]> {
  const idc = idcOf(stage.topology, idcName);
  const looks: EjectionLook[] = [];
  while (machineClock.now() < untilMs) {
    const text = await askAdmin(idc.caller.admin, '/clusters?format=json');
    looks.push({ at: machineClock.now(), ejected: ejectedIn(JSON.parse(text), idc) });
    await sleep(machineClock, everyMs, stage.signal);
  }
  return looks;
}

function ejectedIn({ cluster_statuses = [] }: ClusterStatuses, idc: IdcPlan): string[] {
  const hosts = cluster_statuses
    .filter(({ name }) => name.startsWith('instances/'))
    .flatMap(({ host_statuses = [] }) => host_statuses)
    .filter(({ health_status }) => health_status?.failed_outlier_check);
  return hosts.map(({ address }) => {
    const at = address?.socket_address;
    const instance = idc.instances.find(
      ({ inbound }) => inbound.address === at?.address && inbound.port === at.port_value,
    );
    return instance ? `${instance.idc}/${instance.name}` : `${at?.address}:${at?.port_value}`;
  });
}
