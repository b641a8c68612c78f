import type { Bootstrap, envoy } from '../../protos/gen/envoy.d.ts';
import { packAny } from './message-parts.ts';

type OverloadAction = envoy.config.overload.v3.OverloadAction;
type Trigger = envoy.config.overload.v3.Trigger;

/** Default heap limit of a proxy: 512 bodies of the default buffer size. */
export const maxHeapBytesDefault = 2 * 2 ** 30;

/** Client connections, all listeners together. */
const connectionsMax = 50_000;

const heap = 'envoy.resource_monitors.fixed_heap';

/**
 * Overload actions by heap use (Envoy, "Overload manager"). Bodies are buffered for retries, so the largest
 * streams are ended first; then new requests are refused, and those in flight continue.
 */
export function overloadManager(maxHeapBytes: number): Pick<Bootstrap, 'overload_manager'> {
  return {
    overload_manager: {
      refresh_interval: '0.25s',
      resource_monitors: [
        {
          name: heap,
          typed_config: packAny('envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig', {
            max_heap_size_bytes: String(maxHeapBytes),
          }),
        },
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: packAny(
            'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
            { max_active_downstream_connections: String(connectionsMax) },
          ),
        },
      ],
      actions: [
        action('shrink_heap', { threshold: { value: 0.85 } }),
        // The fuller, the smaller the streams that are reset; none below 1 MiB.
        action('reset_high_memory_stream', {
          scaled: { scaling_threshold: 0.85, saturation_threshold: 0.95 },
        }),
        action('stop_accepting_requests', { threshold: { value: 0.95 } }),
        action('stop_accepting_connections', { threshold: { value: 0.98 } }),
      ],
      // Resets apply to HTTP/2 only: a growing HTTP/1.1 body is refused instead.
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
