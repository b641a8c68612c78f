import { readFile } from 'node:fs/promises';
import { systemClock } from '../../src/base/clock.ts';
import { MeshError } from '../../src/base/error.ts';
import { silentLogger } from '../../src/base/log.ts';
import { guardedListeners, trailHeader } from '../../src/model/trail.ts';
import { createPolicyCompiler } from '../../src/trail/compile.ts';
import { bareModule, sdkModule } from './modules.ts';

/** One way to guard a listener, or none. */
export interface Variant {
  readonly name: string;
  /** Envoy's HTTP filter; absent: none. */
  readonly filter?: object;
  /** The trail that requests bring. */
  readonly trail?: string;
  /** It has the peer listener's rules: must refuse a loop, and a crossing too many. */
  readonly refuses?: true;
  /** Size of the module, where there is one. */
  readonly moduleBytes?: number;
}

/** Names that the bounds refer to. */
export const names = {
  nothing: 'no filter',
  nothingWithoutTrail: 'no filter, no trail',
  reference: 'append-only reference',
  ours: (listener: string) => `trail filter, ${listener}`,
} as const;

/** The policy of the bench: six IDCs and the largest hop limit, the most work there can be. */
const policy = { idc: 'sh-b', peers: ['bj-a', 'bj-b', 'gz-a', 'gz-b', 'sh-a'], hopLimit: 4, enforce: true };

/**
 * What is measured, beginning with what everything is measured against. Those that cannot be built are told
 * by `onMissing`.
 */
export async function createVariants(
  onMissing: (name: string, why: string) => void,
): Promise<readonly Variant[]> {
  const compiler = createPolicyCompiler({ logger: silentLogger, clock: systemClock });
  const ours = await Promise.all(
    guardedListeners.map(async (listener): Promise<Variant> => {
      const { bytes } = await compiler.compile({ ...policy, listener });
      const trail = { 'ingress-peer': 'sh-a', 'egress-ingress': 'sh-b' }[listener as string];
      return {
        ...wasm(names.ours(listener), bytes, listener),
        ...(trail === undefined ? {} : { trail }),
        ...(listener === 'ingress-peer' ? { refuses: true as const } : {}),
      };
    }),
  );
  await compiler.close();
  const lua = (await readFile(new URL('./filters/trail.lua', import.meta.url), 'utf8'))
    .replace('OWN', policy.idc)
    .replace('HOP_LIMIT', String(policy.hopLimit))
    .replace('KNOWN', [policy.idc, ...policy.peers].map((idc) => `["${idc}"] = true`).join(', '));
  const trail = 'sh-a';
  const refuses = true;
  const variants: Variant[] = [
    { name: names.nothing, trail },
    { name: names.nothingWithoutTrail },
    { ...wasm('no-op Wasm', await bareModule('noop'), 'noop'), trail },
    {
      ...wasm(names.reference, await bareModule('append'), 'append', `${policy.idc};${policy.hopLimit}`),
      trail,
      refuses,
    },
    ...ours,
    { name: 'Lua, ingress-peer, no metrics', filter: luaFilter(lua), trail, refuses },
  ];
  const sdkName = 'AssemblyScript SDK, ingress-peer';
  try {
    const known = [policy.idc, ...policy.peers].join(',');
    const bytes = await sdkModule();
    variants.push({
      ...wasm(sdkName, bytes, 'bench', `${policy.idc};${policy.hopLimit};${known}`),
      trail,
      refuses,
    });
  } catch (reason) {
    onMissing(sdkName, MeshError.from(reason).message);
  }
  return variants;
}

/** The header that a variant's requests carry beyond the usual ones. */
export function headersOf({ trail }: Variant): Readonly<Record<string, string>> {
  return trail === undefined ? {} : { [trailHeader]: trail };
}

function wasm(name: string, bytes: Uint8Array, root: string, configuration?: string): Variant {
  const text = { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: configuration };
  return {
    name,
    moduleBytes: bytes.length,
    filter: {
      name: 'guard',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm',
        config: {
          name: root,
          root_id: root,
          failure_policy: 'FAIL_RELOAD',
          reload_config: { backoff: { base_interval: '1s' } },
          ...(configuration === undefined ? {} : { configuration: text }),
          vm_config: {
            vm_id: root,
            runtime: 'envoy.wasm.runtime.v8',
            code: { local: { inline_bytes: Buffer.from(bytes).toString('base64') } },
          },
        },
      },
    },
  };
}

function luaFilter(code: string): object {
  return {
    name: 'guard',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua',
      default_source_code: { inline_string: code },
    },
  };
}
