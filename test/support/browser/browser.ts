import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { browserTool } from '../built-tools.ts';

/** A headless Chromium, driven over a pipe by its DevTools protocol. */
export interface Browser {
  /** Such as `HeadlessChrome/153.0.7904.0`. */
  readonly version: string;
  /** Opens a page of a size in CSS pixels, in a colour scheme. Without a network: only `file:` loads. */
  open(file: string, options: PageOptions): Promise<Page>;
  close(): Promise<void>;
}

/** How a page is shown. */
interface PageOptions {
  readonly width: number;
  readonly height?: number;
  readonly dark?: boolean;
}

/** A page that has loaded. */
export interface Page {
  /** Evaluates an expression in the page, and awaits it. Rejects when it throws. Values are JSON. */
  evaluate<T>(expression: string): Promise<T>;
  /** A PNG of the whole page, or of its first screen. */
  screenshot(whole?: boolean): Promise<Buffer>;
  /** URLs other than its own that it has asked for. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** For so long an answer of the browser is awaited, in milliseconds: a busy machine may start it slowly. */
const answerMs = 60_000;

/**
 * Starts a browser. Undefined where there is none: `make browser-tools` installs one, without root.
 */
export async function startBrowser(): Promise<Browser | undefined> {
  const tool = browserTool();
  if (!tool) return undefined;
  const profile = mkdtempSync(join(tmpdir(), 'isthmus-browser-'));
  // Its own sandbox needs a user other than root; it opens nothing but files that tests have written.
  const flags = [
    '--headless',
    '--no-sandbox',
    '--single-process',
    '--no-zygote',
    '--use-gl=angle',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
    '--in-process-gpu',
    '--no-first-run',
  ];
  const quiet = ['--disable-dev-shm-usage', '--disable-background-networking', '--font-render-hinting=none'];
  const child = spawn(
    tool.path,
    [...flags, ...quiet, `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank'],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, HOME: profile, ...tool.env },
    },
  );
  const wire = new Wire(child);
  const { product } = await wire.call<{ product: string }>('Browser.getVersion');
  return {
    version: product,
    open: (file, options) => openPage(wire, file, options),
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      await wire.call('Browser.close').catch(() => child.kill('SIGKILL'));
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function openPage(wire: Wire, file: string, options: PageOptions): Promise<Page> {
  const { targetId } = await wire.call<{ targetId: string }>('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await wire.call<{ sessionId: string }>('Target.attachToTarget', {
    targetId,
    flatten: true,
  });
  const call = <T>(method: string, params: object = {}) => wire.call<T>(method, params, sessionId);
  const { width, height = 900, dark = false } = options;
  await call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  await call('Emulation.setEmulatedMedia', {
    features: [
      { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' },
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ],
  });
  const url = `file://${file}`;
  const asked: string[] = [];
  wire.on(sessionId, 'Network.requestWillBeSent', ({ request }: { request: { url: string } }) => {
    if (request.url !== url) asked.push(request.url);
  });
  await call('Network.enable');
  await call('Page.enable');
  const loaded = new Promise<void>((resolve) => wire.on(sessionId, 'Page.loadEventFired', () => resolve()));
  await call('Page.navigate', { url });
  await loaded;
  return {
    asked,
    async evaluate<T>(expression: string) {
      const answer = await call<Evaluated<T>>('Runtime.evaluate', {
        ...{ expression, awaitPromise: true, returnByValue: true },
      });
      if (answer.exceptionDetails) throw new Error(JSON.stringify(answer.exceptionDetails));
      return answer.result.value;
    },
    async screenshot(whole = false) {
      const { data } = await call<{ data: string }>('Page.captureScreenshot', {
        captureBeyondViewport: whole,
        ...(whole && { clip: await wholeOf(call) }),
      });
      return Buffer.from(data, 'base64');
    },
    close: async () => {
      await wire.call('Target.closeTarget', { targetId });
    },
  };
}

interface Evaluated<T> {
  readonly result: { readonly value: T };
  readonly exceptionDetails?: object;
}

async function wholeOf(call: <T>(method: string) => Promise<T>) {
  const { cssContentSize } = await call<{ cssContentSize: { width: number; height: number } }>(
    'Page.getLayoutMetrics',
  );
  return { x: 0, y: 0, width: cssContentSize.width, height: cssContentSize.height, scale: 1 };
}

type Listener = (params: never) => void;

/** The DevTools protocol over a pipe: messages of JSON, each ended by a NUL. */
class Wire {
  readonly #out: Writable;
  readonly #waiting = new Map<
    number,
    { resolve: (result: never) => void; reject: (reason: Error) => void }
  >();
  readonly #listeners = new Map<string, Listener>();
  #next = 1;
  #rest = '';

  constructor(child: ChildProcess) {
    this.#out = child.stdio[3] as Writable;
    const input = child.stdio[4] as Readable;
    input.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    const gone = (reason: Error) => {
      for (const { reject } of this.#waiting.values()) reject(reason);
      this.#waiting.clear();
    };
    this.#out.on('error', gone);
    child.once('error', gone);
    child.once('exit', (code, signal) => gone(new Error(`the browser ended (${code ?? signal})`)));
  }

  on(session: string, event: string, listener: Listener): void {
    this.#listeners.set(`${session} ${event}`, listener);
  }

  call<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = this.#next++;
    this.#out.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`);
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${method}: no answer of the browser in ${answerMs} ms`)),
        answerMs,
      );
      const settled = <V>(settle: (value: V) => void) => {
        return (value: V) => {
          clearTimeout(timer);
          this.#waiting.delete(id);
          settle(value);
        };
      };
      this.#waiting.set(id, { resolve: settled(resolve), reject: settled(reject) });
    });
  }

  #take(text: string): void {
    const parts = (this.#rest + text).split('\0');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) this.#hear(JSON.parse(part));
  }

  #hear({ id, method, sessionId, params, result, error }: Message): void {
    if (id === undefined) {
      this.#listeners.get(`${sessionId} ${method}`)?.(params as never);
      return;
    }
    const waiting = this.#waiting.get(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result as never);
  }
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: object;
  readonly result?: object;
  readonly error?: { readonly message: string };
}
