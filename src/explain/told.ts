import { MeshError } from '../base/error.ts';

/** What becomes of a request in another IDC, as the control plane there says. */
export type ToldEnd =
  /** `trail`: the IDCs that it has been in then, the last of which serves it. */
  | { readonly kind: 'served'; readonly trail: readonly string[] }
  /** `handedOn`: it was sent on from there, and all that are left were asked. */
  | { readonly kind: 'nobody'; readonly status: number; readonly handedOn: boolean };

/**
 * Reads `IDC=TRAIL`, with `>` between the IDCs of the trail, `IDC=STATUS` or `IDC=STATUS-handed-on`: the
 * answers that are known by IDC. Throws MeshError `invalid`.
 */
export function readTold(texts: readonly string[]): ReadonlyMap<string, ToldEnd> {
  return new Map(texts.map(readOne));
}

function readOne(text: string): readonly [string, ToldEnd] {
  const [, idc = '', status, handedOn, trail] =
    /^([a-z0-9-]+)=(?:([0-9]{3})(-handed-on)?|([a-z0-9-]+(?:>[a-z0-9-]+)*))$/.exec(text) ?? [];
  if (idc === '')
    throw new MeshError(
      'invalid',
      `'${text}' tells nothing: give IDC=STATUS, or IDC=TRAIL such as sh-b=sh-a>sh-b`,
    );
  return status === undefined
    ? [idc, { kind: 'served', trail: (trail ?? '').split('>') }]
    : [idc, { kind: 'nobody', status: Number(status), handedOn: handedOn !== undefined }];
}
