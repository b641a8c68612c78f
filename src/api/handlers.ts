import type { Query, WrittenAnswer } from '../contract/contract.ts';
import type { OperationId, PathParameters } from '../contract/operations.ts';

/** One request, taken apart by its contract. */
export interface ApiRequest<Id extends OperationId> {
  readonly path: PathParameters<Id>;
  readonly query: Query<Id>;
  /** The body as JSON; undefined where there is none. Who answers checks it. */
  readonly body: unknown;
  /** The IP address of the client, where it is known. */
  readonly from: string | undefined;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

/** An answer that is no refusal; `type` is the media type of a text that is not plain. */
export type ApiAnswer<Id extends OperationId> = WrittenAnswer<Id> & { readonly type?: string };

/** Answers an operation. Throws `MeshError` or `Refusal` to refuse. */
type Handler<Id extends OperationId> = (request: ApiRequest<Id>) => ApiAnswer<Id> | Promise<ApiAnswer<Id>>;

/** A handler for each of some operations. */
export type Handlers<Ids extends OperationId = OperationId> = { readonly [Id in Ids]: Handler<Id> };
