/** A gateway by its place in the Idc. */
interface PlacedGateway {
  /** `IDC/KIND-NUMBER`. */
  readonly name: string;
  /** Node id of the one that is connected there. */
  readonly node?: string | undefined;
}

/** What a gateway is called in texts: by its place, and by its node id, which other commands show. */
export function gatewayLabel({ name, node }: PlacedGateway): string {
  return node === undefined || name.endsWith(`/${node}`) ? name : `${name} (${node})`;
}
