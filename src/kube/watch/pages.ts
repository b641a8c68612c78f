import type { Clock } from '../../base/clock.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import type { KubeClient } from '../kube-client.ts';
import { collectionPath, type ObjectCollection } from './collection-path.ts';
import type { KubeObject } from './watch-events.ts';

/** Objects in a page: 500 are parsed in some milliseconds. */
const pageObjects = 500;

/** Longest time that objects are read without a break, in milliseconds. */
const sliceMs = 4;

/** Reads a list page by page. */
interface PagesInput {
  readonly client: KubeClient;
  readonly target: ObjectCollection;
  readonly handler: { object(object: KubeObject): void; pause(): void };
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A page of a list. */
interface Page {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly KubeObject[];
}

/** Tells of all objects of a kind; resolves to the version of the list. Rejects as `KubeClient.json` does. */
export async function readPages({ client, target, handler, clock, signal }: PagesInput): Promise<string> {
  const { group, plural } = target;
  let next = '';
  let listVersion = '';
  do {
    const query = { limit: String(pageObjects), ...(next !== '' && { continue: next }) };
    const page = (await client.json({
      ...{ action: { verb: 'list', group, resource: plural }, signal },
      path: collectionPath(target, query),
    })) as Page;
    let since = clock.now();
    for (const item of page.items ?? []) {
      handler.object(item);
      if (clock.now() - since < sliceMs) continue;
      await yieldToEventLoop();
      since = clock.now();
    }
    handler.pause();
    // That of the first page: the others are of the same state.
    if (listVersion === '') listVersion = page.metadata?.resourceVersion ?? '';
    next = page.metadata?.continue ?? '';
  } while (next !== '');
  return listVersion;
}
