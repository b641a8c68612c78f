// The peer listener's rules (docs/trail.md), written as the AssemblyScript SDK for proxy-wasm would have it.
// The policy is text in the plugin's configuration: `OWN;HOP_LIMIT;IDC,IDC,…`.
export * from '@gcoredev/proxy-wasm-sdk-as/assembly/proxy';

import {
  Context,
  Counter,
  FilterHeadersStatusValues,
  GrpcStatusValues,
  get_property,
  makeHeaderPair,
  RootContext,
  registerRootContext,
  send_local_response,
  stream_context,
} from '@gcoredev/proxy-wasm-sdk-as/assembly';

class Root extends RootContext {
  own: string = '';
  hopLimit: i32 = 0;
  known: string[] = [];
  hops: Map<string, Counter> = new Map<string, Counter>();
  loops: Map<string, Counter> = new Map<string, Counter>();
  overLimit: Map<string, Counter> = new Map<string, Counter>();
  malformed: Map<string, Counter> = new Map<string, Counter>();

  onConfigure(size: u32): bool {
    super.onConfigure(size);
    const parts = this.getConfiguration().split(';');
    this.own = parts[0];
    this.hopLimit = I32.parseInt(parts[1]);
    this.known = parts[2].split(',').sort();
    const senders = this.known.concat(['_unknown']);
    for (let at = 0; at < senders.length; at++) {
      const prefix = `sdk_trail.ingress-peer.peer.${senders[at]}`;
      this.hops.set(senders[at], new Counter(`${prefix}.hops`));
      this.loops.set(senders[at], new Counter(`${prefix}.loop_rejected`));
      this.overLimit.set(senders[at], new Counter(`${prefix}.hop_limit_rejected`));
    }
    this.malformed.set('all', new Counter('sdk_trail.ingress-peer.malformed_rejected'));
    return true;
  }

  createContext(id: u32): Context {
    return new Trail(id, this);
  }
}

class Trail extends Context {
  root: Root;

  constructor(id: u32, root: Root) {
    super(id, root);
    this.root = root;
  }

  onRequestHeaders(_headers: u32, _end: bool): FilterHeadersStatusValues {
    const value = String.UTF8.decode(get_property('request\0headers\0x-isthmus-trail'));
    if (value.length === 0 || value.length > 512) return this.refuseMalformed();
    const names = value.split(',');
    for (let at = 0; at < names.length; at++) if (!isName(names[at])) return this.refuseMalformed();
    const last = names[names.length - 1];
    const sender = this.root.known.includes(last) ? last : '_unknown';
    if (names.includes(this.root.own)) return this.refuse(508, 'loop', this.root.loops.get(sender));
    if (names.length > this.root.hopLimit)
      return this.refuse(400, 'hop-limit', this.root.overLimit.get(sender));
    this.root.hops.get(sender).increment(1);
    stream_context.headers.request.replace('x-isthmus-trail', `${value},${this.root.own}`);
    let strangers = false;
    for (let at = 0; at < names.length; at++) strangers = strangers || !this.root.known.includes(names[at]);
    const visited: string[] = [];
    for (let at = 0; at < this.root.known.length; at++) {
      const idc = this.root.known[at];
      if (idc === this.root.own || names.includes(idc)) visited.push(idc);
    }
    stream_context.headers.request.replace('x-isthmus-visited', strangers ? '_unknown' : visited.join(','));
    return FilterHeadersStatusValues.Continue;
  }

  refuseMalformed(): FilterHeadersStatusValues {
    return this.refuse(400, 'malformed', this.root.malformed.get('all'));
  }

  refuse(status: u32, outcome: string, counter: Counter): FilterHeadersStatusValues {
    counter.increment(1);
    const body = String.UTF8.encode(`isthmus: ${outcome} at ingress-peer of ${this.root.own}`);
    send_local_response(
      status,
      '',
      body,
      [makeHeaderPair('x-isthmus-outcome', outcome)],
      GrpcStatusValues.Unavailable,
    );
    return FilterHeadersStatusValues.StopIteration;
  }
}

function isName(name: string): bool {
  if (name.length < 1 || name.length > 32) return false;
  if (name.charCodeAt(0) === 0x2d || name.charCodeAt(name.length - 1) === 0x2d) return false;
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (!((code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === 0x2d)) return false;
  }
  return true;
}

registerRootContext((id: u32): RootContext => new Root(id), 'bench');
