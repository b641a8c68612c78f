import type { z } from 'zod';
import { evacuationContract } from './evacuations.ts';
import type { Operation } from './operation.ts';
import type { OperationId } from './operations.ts';
import { registrationContract } from './registrations.ts';
import { statusContract } from './status.ts';

/**
 * What goes in and comes out of each operation of the admin API: the router, OpenAPI and clients are made
 * from it.
 */
export const contract = {
  ...statusContract,
  ...evacuationContract,
  ...registrationContract,
} as const satisfies Readonly<Record<OperationId, Operation>>;

type Contract = typeof contract;

/** JSON as a client reads it: nothing in it is changed, and what is optional is there or not. */
type Json<T> = T extends readonly (infer Item)[]
  ? readonly Json<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Json<Exclude<T[Key], undefined>> }
    : T;

/** What a server makes JSON of: fields that are undefined are left out. */
type Written<T> = T extends readonly (infer Item)[]
  ? readonly Written<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Written<T[Key]> }
    : T;

type Answers<Id extends OperationId> = Contract[Id]['answers'];
type Schema = { readonly schema: z.ZodType };

/** An answer of an operation that is no refusal, as a client gets it; text is a string. */
export type Answer<Id extends OperationId> = {
  [Status in keyof Answers<Id>]: {
    readonly status: Status;
    readonly body: Answers<Id>[Status] extends Schema
      ? Json<z.output<Answers<Id>[Status]['schema']>>
      : string;
  };
}[keyof Answers<Id>];

/** The same as the server says it. */
export type WrittenAnswer<Id extends OperationId> = {
  [Status in keyof Answers<Id>]: {
    readonly status: Status;
    readonly body: Answers<Id>[Status] extends Schema
      ? Written<z.output<Answers<Id>[Status]['schema']>>
      : string;
  };
}[keyof Answers<Id>];

/** A parameter as it is sent: a number as its digits, one that is undefined not at all. */
type Sent<Value> = Value | (string extends Value ? number : never);
type QueryText<Id extends OperationId> = z.input<Contract[Id]['query']>;

/** The parameters of a query as a client gives them. */
export type QueryInput<Id extends OperationId> = {
  readonly [Name in keyof QueryText<Id>]: Sent<QueryText<Id>[Name]>;
};

/** The same as they were read: durations in milliseconds, numbers as such. */
export type Query<Id extends OperationId> = z.output<Contract[Id]['query']>;

/** The body that an operation takes; never: none. */
export type Body<Id extends OperationId> = Contract[Id] extends {
  readonly body: infer Schema extends z.ZodType;
}
  ? Json<z.input<Schema>>
  : never;
