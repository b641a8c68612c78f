import {
  commandLines,
  curlOf,
  type QuickPart,
  quickApps,
  quickCaller,
  quickControls,
  quickDrain,
  quickEnvoys,
  quickGateways,
  quickInstanceRequests,
  quickQuestions,
  quickRequests,
  quickSidecars,
} from './world.ts';

/** The README.md of a quickstart's folder. */
export function quickReadme(): string {
  return `# Two IDCs on one machine

IDC sh-a has the loopback addresses 127.11.\\*, sh-b 127.12.\\*. Each has a control plane, an ingress and an egress gateway, and an instance
of the Group checkout.shop with its sidecar. A caller in sh-a has a sidecar too. Only one such folder can run at a time, since all have these addresses.

    ./run.sh            # starts everything, and says when it is ready; Ctrl-C ends it

It needs bash, curl, and Envoy 1.40: \`envoy\` on PATH, or ENVOY_BIN.

In another terminal, in this folder:

## Requests

${indented(quickRequests.map((request) => `# ${request.what}: ${request.answeredBy} answers\n${curlOf(request)}`))}

## Lose an instance

    kill "$(cat run/app-a.pid)"
    ${curlOf(quickRequests[0] as (typeof quickRequests)[number])}     # checkout-b answers, and no request fails
    node app.mjs checkout-a 127.11.1.1 9080 &                   # it comes back, and so do the requests; \`kill $!\` ends it

${asking()}

## What equals what

${equalities}

## What run.sh does

The control planes; both read the folder \`config\`:

${commandsOf(quickControls)}

The instances, and their sidecars:

${commandsOf([...quickApps, ...quickSidecars])}

${indented(quickInstanceRequests.map(curlOf))}

The gateways, and then the sidecar of the caller:

${commandsOf([...quickGateways, quickCaller])}

These commands wrote the bootstraps:

${indented(quickEnvoys.map(({ bootstrap, file }) => `${commandLines(bootstrap)} > ${file}`))}

Change an object in \`config\`, and every Envoy that it concerns has the change some milliseconds later:

    isthmus validate config
`;
}

/** The commands that ask the control planes, and those that change what they do. */
function asking(): string {
  return `## Ask the control planes

${questionsOf(quickQuestions)}

A control plane reads health and shares at the \`--admin\` of the Envoys' bootstraps, when it is asked. Shares are those of two seconds: send requests meanwhile.
With \`--all-idcs\` the control planes of the other IDCs are asked, too: the Idcs name them (\`spec.controlPlanes\`).

## Take an instance out of use

${questionsOf(quickDrain)}

Changes at a control plane need the token in the file \`token\`, and are stored below \`state\`.`;
}

function questionsOf(all: typeof quickQuestions): string {
  return all.map(({ what, command }) => indented([`# ${what}`, commandLines(command)])).join('\n\n');
}

function commandsOf(parts: readonly QuickPart[]): string {
  return indented(parts.map(({ command }) => commandLines(command)));
}

function indented(texts: readonly string[]): string {
  return texts
    .flatMap((text) => text.split('\n'))
    .map((line) => `    ${line}`)
    .join('\n');
}

/** Which flag of a proxy equals which field of an object; docs/quickstart.md has the same table. */
export const equalities = `| flag of \`isthmus bootstrap\` | equals | who connects there |
|---|---|---|
| \`--edge\` of an ingress | \`address\` and \`edgePort\` of the Idc's \`ingress\` | clients |
| \`--peer\` of an ingress | \`address\` and \`peerPort\` of the Idc's \`ingress\` | egress gateways of other IDCs |
| \`--sidecar-listen\` of an egress | \`address\` and \`sidecarPort\` of the Idc's \`egress\` | sidecars of the IDC |
| \`--ingress-listen\` of an egress | \`address\` and \`ingressPort\` of the Idc's \`egress\` | ingress gateways of the IDC |
| \`--inbound\` of a sidecar | \`address\` of the WorkloadEntry, and the port of the ServiceEntry | callers' sidecars, ingress gateways |
| \`--app\` of a sidecar | where the workload listens; no object has it | its sidecar |
| \`--outbound\` of a sidecar | where the workload sends its requests; no object has it | the workload |
| \`--namespace\` of a sidecar | the namespace of the Groups that the workload calls | |
| \`--xds\` of any proxy | \`--xds\` of the IDC's \`isthmus serve\` | |
| \`--admin\` of an Envoy | nothing: an address of its machine that it alone uses | the control planes, for \`isthmus who\` and \`isthmus explain\` |
| \`--idc\` of any proxy | \`name\` of the Idc, \`--idc\` of \`isthmus serve\`, the first part of \`locality\` | |
| \`--id\` of any proxy | nothing: a name of its own in the IDC | |`;
