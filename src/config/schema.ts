import { z } from 'zod';
import { configKind, ownApiVersion } from '../model/values/api-version.ts';
import { isGroup, type OptionTree } from './option.ts';
import { controlPlaneOptions } from './options.ts';
import type { Shape } from './value-kind.ts';

/** The schema of an option in a file. */
export function schemaOf(shape: Shape): z.ZodType {
  const { error } = shape;
  switch (shape.type) {
    case 'text':
      return shape.pattern === undefined
        ? z.string({ error })
        : z.string({ error }).meta({ pattern: shape.pattern });
    case 'integer':
      return z.int({ error }).min(shape.min, error).max(shape.max, error);
    case 'choice':
      return z.enum(shape.values, { error });
    case 'switch':
      return z.boolean({ error });
    case 'list':
      return z.array(schemaOf(shape.of), { error }).min(1, 'is empty: name one, or leave it out.');
  }
}

/** The schema of a tree of options. None is required: flags may give it. */
function shapeOf(tree: OptionTree): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(tree).map(([key, node]) => {
      if (isGroup(node)) {
        const inner = z.strictObject(shapeOf(node.options), {
          error: 'must be a mapping of options: give it some, or leave it out.',
        });
        return [key, inner.optional().meta({ description: node.words })];
      }
      const { kind, words, byDefault } = node;
      const range = kind.range === '' ? '' : ` Takes: ${kind.range}.`;
      return [
        key,
        schemaOf(kind.shape)
          .optional()
          .meta({
            description: `${words}.${range}`,
            ...(byDefault === undefined ? {} : { default: kind.toFile(kind.fromText(byDefault)) }),
          }),
      ];
    }),
  );
}

/** The file of `isthmus serve --file`. */
export const configSchema = z
  .strictObject({
    apiVersion: z.literal(ownApiVersion),
    kind: z.literal(configKind),
    ...shapeOf(controlPlaneOptions),
  })
  .meta({
    title: configKind,
    description:
      'How `isthmus serve` runs. Relative paths are relative to the folder of the file; flags override it.',
  });

/** The JSON Schema of that file (draft 7, the best supported by editors). */
export function configJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(configSchema, { target: 'draft-7', io: 'input' }), null, 2)}\n`;
}
