import type { Bootstrap, envoy } from '../../protos/gen/envoy.d.ts';
import { any } from './any.ts';

type OverloadAction = envoy.config.overload.v3.OverloadAction;
type Trigger = envoy.config.overload.v3.Trigger;

/** What a proxy's heap may grow to, where nothing is said: 512 bodies of the size that is kept by default. */
export const maxHeapBytesDefault = 2 * 2 ** 30;

/** Open connections of clients, all listeners together. */
const connectionsMax = 50_000;

const heap = 'envoy.resource_monitors.fixed_heap';

/**
 * What a proxy does as its heap fills (Envoy, "Overload manager"). Bodies are kept so that they can be sent
 * again, so the streams that hold most are ended first; then nothing new is taken, and what is under way goes
 * on.
 */
export function overloadManager(maxHeapBytes: number): Pick<Bootstrap, 'overload_manager'> {
  return {
    overload_manager: {
      refresh_interval: '0.25s',
      resource_monitors: [
        {
          name: heap,
          typed_config: any('envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig', {
            max_heap_size_bytes: String(maxHeapBytes),
          }),
        },
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: any(
            'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
            { max_active_downstream_connections: String(connectionsMax) },
          ),
        },
      ],
      actions: [
        action('shrink_heap', { threshold: { value: 0.85 } }),
        // The fuller, the smaller the streams that are ended; none that holds less than 1 MiB.
        action('reset_high_memory_stream', {
          scaled: { scaling_threshold: 0.85, saturation_threshold: 0.95 },
        }),
        action('stop_accepting_requests', { threshold: { value: 0.95 } }),
        action('stop_accepting_connections', { threshold: { value: 0.98 } }),
      ],
      // The action that ends streams knows HTTP/2 alone: an HTTP/1.1 body that goes on to come is refused
      // instead.
      loadshed_points: [
        {
          name: 'envoy.load_shed_points.http1_server_abort_dispatch',
          triggers: [{ name: heap, scaled: { scaling_threshold: 0.9, saturation_threshold: 1 } }],
        },
      ],
      buffer_factory_config: { minimum_account_to_track_power_of_two: 20 },
    },
  };
}

function action(name: string, when: Omit<Trigger, 'name'>): OverloadAction {
  return { name: `envoy.overload_actions.${name}`, triggers: [{ name: heap, ...when }] };
}
