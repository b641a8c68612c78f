import { readFileSync } from 'node:fs';
import type { Schema, SchemaField } from '../../../protos/schema.ts';

/** A field's type and wire form. */
export interface FieldPlan {
  readonly name: string;
  readonly id: number;
  /** A scalar's name, or the full name of a message or enum. */
  readonly type: string;
  readonly shape: 'one' | 'many' | 'map';
  /** Scalar type of a map's keys. */
  readonly keyType: string;
  /** proto3 implicit presence: a default value is not written. */
  readonly implicit: boolean;
  readonly oneof: string | undefined;
}

/** The codec's view of a message: fields by JSON name (snake_case and lowerCamelCase) and by number. */
export interface MessagePlan {
  readonly name: string;
  readonly byName: ReadonlyMap<string, FieldPlan>;
  readonly byId: ReadonlyMap<number, FieldPlan>;
}

/** An enum, by name and by number. */
interface EnumPlan {
  readonly byName: ReadonlyMap<string, number>;
  readonly byNumber: ReadonlyMap<number, string>;
}

// The relative path holds in the repository and in dist. Read once; plans are made on first use.
const schema: Schema = JSON.parse(
  readFileSync(new URL('../../../protos/gen/schema.json', import.meta.url), 'utf8'),
);
const messagePlans = new Map<string, MessagePlan>();
const enumPlans = new Map<string, EnumPlan>();

/** The plan of a message by full name; undefined when the schema has no such message. */
export function messagePlan(name: string): MessagePlan | undefined {
  const known = messagePlans.get(name);
  if (known !== undefined) return known;
  return memo(messagePlans, schema.messages, name, () => {
    const byName = new Map<string, FieldPlan>();
    const byId = new Map<number, FieldPlan>();
    for (const row of schema.messages[name] ?? []) {
      const plan = fieldPlan(row);
      byName.set(plan.name, plan).set(lowerCamel(plan.name), plan);
      byId.set(plan.id, plan);
    }
    return { name, byName, byId };
  });
}

/** The plan of an enum by full name; undefined when the schema has no such enum. */
export function enumPlan(name: string): EnumPlan | undefined {
  const known = enumPlans.get(name);
  // What is a message is no enum.
  if (known !== undefined || messagePlans.has(name)) return known;
  return memo(enumPlans, schema.enums, name, () => {
    const entries = Object.entries(schema.enums[name] ?? {});
    const byNumber = new Map<number, string>();
    for (const [label, number] of entries) if (!byNumber.has(number)) byNumber.set(number, label);
    return { byName: new Map(entries), byNumber };
  });
}

function fieldPlan([name, id, type, label, oneof]: SchemaField): FieldPlan {
  const shape = label === 'r' ? 'many' : label.startsWith('m') ? 'map' : 'one';
  const keyType = shape === 'map' ? label.slice(1) : '';
  return { name, id, type, shape, keyType, implicit: label === '', oneof };
}

/** `foo_bar2_x` → `fooBar2X`, as proto3 JSON names a field. */
export function lowerCamel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Memoised only for names in the schema: a name sent by a client must not grow the map. */
function memo<V>(plans: Map<string, V>, known: object, name: string, make: () => V): V | undefined {
  const found = plans.get(name);
  if (found !== undefined || !Object.hasOwn(known, name)) return found;
  const made = make();
  plans.set(name, made);
  return made;
}
