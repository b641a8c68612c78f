import type { z } from 'zod';

/** An answer that is no refusal: JSON of a schema, or text. */
export type AnswerSchema =
  | { readonly description: string; readonly schema: z.ZodType }
  | { readonly description: string; readonly text: true };

/**
 * What goes into an operation of the admin API, and what comes out; `operations.ts` has its method and path.
 */
export interface Operation {
  readonly tag: 'status' | 'registrations' | 'evacuations';
  readonly summary: string;
  readonly description?: string;
  /** Its line on the page `/`. */
  readonly help: string;
  readonly needsToken?: true;
  /** It tells of all proxies or objects: it is made in its turn (`api/page-turns.ts`). */
  readonly isDear?: true;
  /** Descriptions of the parameters of its path. */
  readonly path?: Readonly<Record<string, string>>;
  /** Parameters of its query; others are refused. */
  readonly query: z.ZodObject;
  /** It takes any other parameter too, as pages that are scraped do. */
  readonly takesAnyQuery?: true;
  /** Its body, JSON. Who answers checks it, and names all its faults at once. */
  readonly body?: z.ZodType;
  /** By HTTP status. */
  readonly answers: Readonly<Record<number, AnswerSchema>>;
  /** Statuses of refusals worth naming; each operation may refuse with any problem. */
  readonly refusals?: readonly number[];
}
