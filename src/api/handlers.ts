import type { Query, WrittenAnswer } from '../contract/contract.ts';
import type { OperationId, PathParameters } from '../contract/operations.ts';

/** A request parsed by its contract. */
export interface ApiRequest<Id extends OperationId> {
  readonly path: PathParameters<Id>;
  readonly query: Query<Id>;
  /** The body as JSON; undefined if none. The handler validates it. */
  readonly body: unknown;
  /** The client's IP address, if known. */
  readonly from: string | undefined;
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
}

/** A successful answer; `type`: the media type of text that is not plain. */
export type ApiAnswer<Id extends OperationId> = WrittenAnswer<Id> & { readonly type?: string };

/** Handles an operation. Throws `MeshError` or `Refusal` to refuse. */
type Handler<Id extends OperationId> = (request: ApiRequest<Id>) => ApiAnswer<Id> | Promise<ApiAnswer<Id>>;

/** Handlers of some operations. */
export type Handlers<Ids extends OperationId = OperationId> = { readonly [Id in Ids]: Handler<Id> };
