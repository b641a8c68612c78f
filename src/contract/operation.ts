import type { z } from 'zod';

/** A successful answer: JSON of a schema, or text. */
export type AnswerSchema =
  | { readonly description: string; readonly schema: z.ZodType }
  | { readonly description: string; readonly text: true };

/** Input and output of an operation of the admin API; `operations.ts` has its method and path. */
export interface Operation {
  readonly tag: 'status' | 'registrations' | 'evacuations' | 'drains';
  readonly summary: string;
  readonly description?: string;
  /** Its line on the page `/`. */
  readonly help: string;
  readonly needsToken?: true;
  /** It lists all proxies or objects: rate-limited (`api/pages/page-turns.ts`). */
  readonly isDear?: true;
  /** Descriptions of the parameters of its path. */
  readonly path?: Readonly<Record<string, string>>;
  /** Its query parameters; others are refused. */
  readonly query: z.ZodObject;
  /** It accepts any further parameter, for scrapers. */
  readonly takesAnyQuery?: true;
  /** Its JSON body. The handler validates it, and reports all errors at once. */
  readonly body?: z.ZodType;
  /** By HTTP status. */
  readonly answers: Readonly<Record<number, AnswerSchema>>;
  /** Documented refusals; any operation may refuse with any problem. */
  readonly refusals?: readonly number[];
}
