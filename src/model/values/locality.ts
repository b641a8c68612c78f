/** The place of an instance: `IDC/zone/subzone`, Istio's `locality`. What is not given is ''. */
interface Locality {
  readonly idc: string;
  readonly zone: string;
  readonly subzone: string;
}

/** Takes a locality apart; whatever follows the second slash is the subzone. */
export function splitLocality(text: string): Locality {
  const [idc = '', zone = '', ...rest] = text.split('/');
  return { idc, zone, subzone: rest.join('/') };
}
