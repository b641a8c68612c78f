import type { z } from 'zod';
import { evacuationContract } from './evacuations.ts';
import { eventContract } from './events.ts';
import { explainContract } from './explain.ts';
import type { Json, Written } from './json.ts';
import { topContract } from './load/top.ts';
import { networkContract } from './network.ts';
import type { Operation } from './operation.ts';
import type { OperationId } from './operations.ts';
import { drainContract } from './orders/drains.ts';
import { registrationContract } from './registrations.ts';
import { statusContract } from './status.ts';
import { whoContract } from './who.ts';

/** Input and output of each operation of the admin API: the source of the router, OpenAPI and clients. */
export const contract = {
  ...statusContract,
  ...whoContract,
  ...networkContract,
  ...topContract,
  ...explainContract,
  ...eventContract,
  ...evacuationContract,
  ...drainContract,
  ...registrationContract,
} as const satisfies Readonly<Record<OperationId, Operation>>;

type Contract = typeof contract;

type Answers<Id extends OperationId> = Contract[Id]['answers'];
type Schema = { readonly schema: z.ZodType };

/** A successful answer as a client gets it; text is a string. */
export type Answer<Id extends OperationId> = {
  [Status in keyof Answers<Id>]: {
    readonly status: Status;
    readonly body: Answers<Id>[Status] extends Schema
      ? Json<z.output<Answers<Id>[Status]['schema']>>
      : string;
  };
}[keyof Answers<Id>];

/** The same as the server returns it. */
export type WrittenAnswer<Id extends OperationId> = {
  [Status in keyof Answers<Id>]: {
    readonly status: Status;
    readonly body: Answers<Id>[Status] extends Schema
      ? Written<z.output<Answers<Id>[Status]['schema']>>
      : string;
  };
}[keyof Answers<Id>];

/** A parameter's input: numbers become digits, undefined is omitted. */
type Sent<Value> = Value | (string extends Value ? number : never);
type QueryText<Id extends OperationId> = z.input<Contract[Id]['query']>;

/** Query parameters as a client gives them. */
export type QueryInput<Id extends OperationId> = {
  readonly [Name in keyof QueryText<Id>]: Sent<QueryText<Id>[Name]>;
};

/** The same, parsed: durations in milliseconds, numbers. */
export type Query<Id extends OperationId> = z.output<Contract[Id]['query']>;

/** An operation's body; never: none. */
export type Body<Id extends OperationId> = Contract[Id] extends {
  readonly body: infer Schema extends z.ZodType;
}
  ? Json<z.input<Schema>>
  : never;
