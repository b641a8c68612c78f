import { z } from 'zod';
import { isMap, type RawMap } from '../../base/raw-map.ts';
import { durationPattern } from '../../model/values/duration.ts';

/** A structural schema of Kubernetes (apiextensions.k8s.io/v1 JSONSchemaProps), as JSON. */
export type Structural = { [key: string]: unknown };

/** A rule in CEL, as in `x-kubernetes-validations`. */
export interface CelRule {
  readonly rule: string;
  /** What is wrong and what to do; begins with a verb, after the path. */
  readonly message: string;
  /** The field at fault, below the one with the rule: `.idcs`. */
  readonly fieldPath?: string;
}

/** The longest duration and address that are taken: CEL must know a bound. */
const textMax = 64;

/**
 * Converts a zod schema to a structural one: each node has one type, unknown fields are pruned, unions become
 * CEL or `x-kubernetes-int-or-string`. Defaults go into descriptions: stored ones would outlive a change of
 * ours.
 */
export function structuralOf(schema: z.ZodType): Structural {
  return convert(z.toJSONSchema(schema, { target: 'draft-7', io: 'input' }) as RawMap);
}

function convert(node: RawMap): Structural {
  const described = describe(node);
  if (Array.isArray(node.anyOf) && node.type === undefined)
    return { ...described, ...convertUnion(node.anyOf as RawMap[]) };
  if (node.type === undefined) return { ...described, 'x-kubernetes-preserve-unknown-fields': true };
  switch (node.type) {
    case 'object':
      return { ...described, ...convertObject(node) };
    case 'array':
      return {
        ...described,
        type: 'array',
        ...pick(node, 'minItems', 'maxItems'),
        items: convert(node.items as RawMap),
      };
    case 'integer':
      return { ...described, type: 'integer', format: 'int64', ...boundsOf(node) };
    case 'string':
      return { ...described, ...convertText(node) };
    default:
      return { ...described, type: node.type };
  }
}

function convertObject(node: RawMap): Structural {
  if (!isMap(node.properties)) {
    const values = isMap(node.additionalProperties) ? convert(node.additionalProperties) : undefined;
    return { type: 'object', ...(values === undefined ? {} : { additionalProperties: values }) };
  }
  const properties = Object.entries(node.properties).map(([key, of]) => [key, convert(of as RawMap)]);
  return { type: 'object', ...pick(node, 'required'), properties: Object.fromEntries(properties) };
}

function convertText(node: RawMap): Structural {
  if (node.format === 'date-time') {
    // With its offset, as RFC 3339 requires: the API server's own check takes a time without.
    return { type: 'string', format: 'date-time', pattern: '(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$' };
  }
  const text = {
    type: 'string',
    ...pick(node, 'minLength', 'maxLength', 'pattern', 'enum'),
    ...(node.const === undefined ? {} : { enum: [node.const] }),
  };
  return node.pattern === durationPattern.source ? { ...text, ...durationText } : text;
}

const durationText = {
  maxLength: textMax,
  'x-kubernetes-validations': [
    { rule: "duration(self) <= duration('87600h')", message: 'is too long: give less than ten years.' },
  ],
} as const;

/** IP addresses as zod takes them: also IPv4 mapped into IPv6, which the library of CEL refuses. */
const ipRule = "isIP(self) || (self.startsWith('::ffff:') && isIP(self.substring(7)))";

function convertUnion(branches: readonly RawMap[]): Structural {
  const formats = branches.map(({ format }) => format);
  if (formats.includes('ipv4')) {
    const isPrefix = formats.includes('cidrv4');
    const message = isPrefix
      ? "must be an IP address or a prefix such as '10.0.0.0/8'."
      : 'must be an IP address: no names are looked up for it.';
    const rule = isPrefix ? `${ipRule} || isCIDR(self)` : ipRule;
    return { type: 'string', maxLength: textMax, 'x-kubernetes-validations': [{ rule, message }] };
  }
  const types = branches.map(({ type }) => type).sort();
  if (types.join() === 'integer,string') {
    const [number = {}, text = {}] = ['integer', 'string'].map((type) =>
      branches.find((branch) => branch.type === type),
    );
    return { 'x-kubernetes-int-or-string': true, ...boundsOf(number), ...pick(text, 'pattern') };
  }
  // Values of several types have no structural form: the control plane checks them.
  return { 'x-kubernetes-preserve-unknown-fields': true };
}

/** Bounds of a number, without those of JavaScript's own. */
function boundsOf(node: RawMap): Structural {
  const given = Object.entries(pick(node, 'minimum', 'maximum'));
  return Object.fromEntries(
    given.filter(([, bound]) => typeof bound === 'number' && Number.isSafeInteger(bound) && isOwn(bound)),
  );
}

function isOwn(bound: number): boolean {
  return Math.abs(bound) !== Number.MAX_SAFE_INTEGER;
}

function describe(node: RawMap): Structural {
  const words = typeof node.description === 'string' ? node.description : '';
  const byDefault = node.default === undefined ? '' : `Default: ${JSON.stringify(node.default)}.`;
  const description = [words, byDefault].filter((part) => part !== '').join(' ');
  return description === '' ? {} : { description };
}

function pick(node: RawMap, ...keys: string[]): Structural {
  return Object.fromEntries(keys.filter((key) => node[key] !== undefined).map((key) => [key, node[key]]));
}

/**
 * Adds to the node at `path` (`ingress[].address`; `{}` for values of a map; '' for the schema itself). CEL
 * rules are appended. Throws RangeError when there is no such node.
 */
export function amend(schema: Structural, path: string, more: Structural): void {
  const node = path === '' ? schema : path.split(/\.|(?=\[\]|\{\})/).reduce(stepInto, schema);
  const { 'x-kubernetes-validations': rules, ...rest } = more;
  Object.assign(node, rest);
  if (!Array.isArray(rules)) return;
  const before = node['x-kubernetes-validations'];
  node['x-kubernetes-validations'] = [...(Array.isArray(before) ? before : []), ...rules];
}

function stepInto(node: Structural, step: string): Structural {
  const properties = isMap(node.properties) ? node.properties : {};
  const found = step === '[]' ? node.items : step === '{}' ? node.additionalProperties : properties[step];
  if (!isMap(found)) throw new RangeError(`the schema has no ${step}`);
  return found as Structural;
}
