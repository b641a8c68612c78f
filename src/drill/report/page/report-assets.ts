/**
 * Colours by scheme. `test/drill/report/colours.test.ts` holds texts to a contrast of 4.5 : 1 and marks to
 * 3 : 1 on every ground that they stand on.
 */
export const palettes = {
  light: {
    ...{ bg: '#fbfbfa', card: '#ffffff', ink: '#1d232b', dim: '#515b66', rule: '#d3d9df' },
    ...{ good: '#14703f', bad: '#b3261e', warn: '#8a5300', link: '#1f5a96' },
    ...{ a: '#2f6cad', b: '#b25d00', c: '#7a4fb5', d: '#1f7f7f', e: '#14703f', f: '#68727e' },
    ...{ served: '#5482b4', p50: '#14797a', p99: '#7244b0', max: '#727d89', control: '#6f6a5e' },
    ...{ shade: '#eff2f6', outage: '#fbeeec', recovery: '#fbf5e4', onstate: '#ffffff' },
  },
  dark: {
    ...{ bg: '#14181d', card: '#1a2027', ink: '#e5e9ee', dim: '#a9b3bf', rule: '#333c46' },
    ...{ good: '#4cc38a', bad: '#ff8a80', warn: '#e5b04a', link: '#8ab8ea' },
    ...{ a: '#6ea3dc', b: '#e5a24a', c: '#b592ea', d: '#56c2c2', e: '#4cc38a', f: '#99a4b0' },
    ...{ served: '#6f9bc9', p50: '#56c2c2', p99: '#b592ea', max: '#93a0ad', control: '#b3ab98' },
    ...{ shade: '#1e252d', outage: '#33201f', recovery: '#2e281a', onstate: '#14181d' },
  },
} as const;

const variables = (palette: Readonly<Record<string, string>>) =>
  Object.entries(palette)
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');

const series = ['a', 'b', 'c', 'd', 'e', 'f'];
/** A rule for each IDC: its columns, and its key. */
const idcRules = series.map(
  (name, i) => `.columns.idc-${i}{fill:var(--${name})}i.idc-${i}{background:var(--${name})}`,
);
const marks = ['served', 'p50', 'p99'];
const markRules = marks.map(
  (name) =>
    `.columns.${name}{fill:var(--${name})}.line.${name}{stroke:var(--${name})}i.${name}{background:var(--${name})}`,
);

/** The style of reports: system fonts, both colour schemes, nothing fetched; no tables on a phone. */
export const styles = `
:root{color-scheme:light dark;${variables(palettes.light)}}
@media(prefers-color-scheme:dark){:root{${variables(palettes.dark)}}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Open Sans",sans-serif;overflow-wrap:break-word}
header,main{max-width:1020px;margin:0 auto;padding:0 20px}header{padding-top:28px}main{padding-bottom:64px}a{color:var(--link)}a:focus-visible,summary:focus-visible{outline:2px solid var(--link);outline-offset:2px}
h1{font-size:25px;line-height:1.25;margin:2px 0 12px;text-wrap:balance}h1::first-letter{text-transform:uppercase}h2{font-size:18px;margin:36px 0 10px}h3{font-size:15px;margin:22px 0 6px}.count{color:var(--dim);font-weight:400;margin-left:4px}
.kind{margin:0;color:var(--dim);font-size:13px;letter-spacing:.02em}.note{color:var(--dim);font-size:13px;margin:6px 0}.control-note{color:var(--ink)}
.state{display:inline-flex;align-items:center;gap:8px;margin:0;padding:5px 12px;border-radius:6px;font-weight:600;color:var(--onstate)}.state.ok{background:var(--good)}.state.missed{background:var(--bad)}.state.unjudged{background:var(--warn)}
.headline{font-size:22px;line-height:1.35;font-weight:600;margin:16px 0 4px;text-wrap:balance}.nearest{margin:4px 0}
.icon{width:16px;height:16px;flex:none;vertical-align:-3px}.icon path{fill:none;stroke:currentColor;stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
figure{margin:14px 0;padding:12px 12px 6px;background:var(--card);border:1px solid var(--rule);border-radius:8px}figcaption{font-size:13px;color:var(--dim);padding:0 4px 4px}figcaption b{color:var(--ink);margin-right:12px}
.key{margin-right:14px;white-space:nowrap}.key i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:5px;vertical-align:-1px}
${markRules.join('')}${idcRules.join('')}
.columns.failed{fill:var(--bad)}i.failed{background:var(--bad)}.columns.lostInFlight{fill:var(--b)}i.lostInFlight{background:var(--b)}.columns.refused{fill:var(--max)}i.refused{background:var(--max)}.dot.max{fill:var(--max)}i.max{background:var(--max);border-radius:50%}
.key i.control,.key i.bound{height:0;width:16px;border-radius:0;background:none;vertical-align:3px;border-top:2px dotted var(--control)}.key i.bound{border-top:2px dashed var(--bad)}
.chart{display:block;width:100%;height:auto;cursor:crosshair}.chart.narrow{display:none}.phase{fill:transparent}.phase.quiet{fill:var(--shade)}.phase.broken{fill:var(--outage)}.phase.healing{fill:var(--recovery)}.phase-name,.tick,.event{font-size:11px;fill:var(--dim)}.event{fill:var(--ink)}
.grid{stroke:var(--rule)}.tick{font-variant-numeric:tabular-nums}.line{fill:none;stroke-width:1.6;stroke-linejoin:round}.line.control{stroke:var(--control);stroke-width:1.3;stroke-dasharray:1.5 2.5}
.line.control.over{stroke:var(--ink)}.line-ground{fill:none;stroke:var(--card);stroke-width:3}
.bound-line line{stroke:var(--bad);stroke-width:1.4;stroke-dasharray:6 3}.bound-line text{font-size:11px;fill:var(--bad)}.bound-ground{fill:var(--card);opacity:.88}
.mark{stroke:var(--ink);stroke-dasharray:2 3}.flag{fill:var(--ink)}.flag-number{font-size:11px;font-weight:600;fill:var(--bg)}.cursor{stroke:var(--dim);stroke-width:1}
.idcs{display:grid;grid-template-columns:repeat(auto-fit,minmax(280px,1fr));gap:12px;max-width:980px}.idc{display:block;width:100%;max-width:420px;height:auto}.idc-box{fill:var(--card);stroke:var(--rule)}.idc-name{font-size:15px;font-weight:600;fill:var(--ink)}.part-label{font-size:12px;fill:var(--dim)}
.chip{fill:var(--shade);stroke:var(--max)}.chip-number{font-size:12px;fill:var(--ink)}.chip.struck{fill:var(--outage);stroke:var(--bad);stroke-width:1.6}.cross{stroke:var(--bad);stroke-width:1.6}.blow{fill:var(--bad)}.blow-number{font-size:10px;font-weight:600;fill:var(--onstate)}.way{fill:none;stroke:var(--dim);stroke-width:1.6}
.struck-key{display:inline-block;width:18px;height:12px;border:1.6px solid var(--bad);border-radius:3px;background:linear-gradient(to top right,transparent 46%,var(--bad) 46%,var(--bad) 54%,transparent 54%);vertical-align:-1px}
table{border-collapse:collapse;width:100%;font-size:13.5px}th{text-align:left;font-weight:600;color:var(--dim);font-size:12px}th,td{padding:6px 10px 6px 0;border-bottom:1px solid var(--rule);vertical-align:top}.number{text-align:right;font-variant-numeric:tabular-nums}
.figures td:nth-child(n+3):nth-child(-n+8),.figures th:nth-child(n+3):nth-child(-n+8){text-align:right;font-variant-numeric:tabular-nums;padding-left:10px}.figures :is(th,td):last-child{padding-left:18px}.figures .all td{font-weight:600;border-top:2px solid var(--rule)}.figures .part td:first-child{color:var(--dim)}th,td{overflow-wrap:anywhere}td.number,.figures :is(th,td):nth-child(n+3):nth-child(-n+8){overflow-wrap:normal}
.verdict td:first-child{width:92px;white-space:nowrap}.verdict td:nth-child(2){width:38%}.verdict td:nth-child(3){width:110px}.verdict td:nth-child(5),.verdict th:nth-child(5){width:150px}.state-word{margin-left:6px;font-size:12.5px}.good td:first-child{color:var(--good)}.bad td:first-child{color:var(--bad);font-weight:600}.unjudged td:first-child{color:var(--warn)}.verdict .none{color:var(--dim);font-size:12.5px}
.own td:first-child{width:92px;white-space:nowrap}.own td:nth-child(n+4){width:20%}
.bar{display:block;position:relative;height:10px;margin:5px 3px 3px 0;border:1px solid var(--max);background:var(--card)}.bar i{display:block;height:100%}.bar b{position:absolute;top:-3px;bottom:-3px;width:3px;margin-left:-1px;background:var(--ink)}.bar .roomy{background:var(--good)}.bar .close{background:var(--warn)}.bar .over{background:var(--bad)}.used{display:block;font-size:12px;color:var(--dim);font-variant-numeric:tabular-nums}
td .icon.ok{color:var(--good)}td .icon.missed{color:var(--bad)}td .icon.unjudged{color:var(--warn)}
.events{padding-left:26px;margin:0}.events li{padding:2px 0}.events b{font-variant-numeric:tabular-nums;margin-right:6px}.values{margin:10px 0}summary{cursor:pointer;color:var(--link)}
.command{margin:6px 0 14px;padding:10px 12px;background:var(--card);border:1px solid var(--rule);border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere;font-size:13px}dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;font-size:13.5px;margin:0}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
@media(max-width:700px){
header,main{padding-left:12px;padding-right:12px}header{padding-top:18px}h1{font-size:20px}.headline{font-size:19px}figure{padding:10px 4px 4px}figcaption{padding:0 6px 4px}.key{white-space:normal}
.chart.wide{display:none}.chart.narrow{display:block}
.stacked,.stacked tbody,.stacked tr,.stacked td{display:block;width:auto!important}.stacked thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.stacked tr{padding:8px 0;border-bottom:1px solid var(--rule)}.stacked td,.figures td.number,.figures td:last-child,.stacked .all td{border:0!important;padding:1px 0!important;text-align:left!important}.stacked td[data-head]{display:grid;grid-template-columns:96px minmax(0,1fr);gap:8px}.stacked td[data-head]::before{content:attr(data-head);color:var(--dim);font-weight:400;font-size:12.5px}
.verdict td[data-head]:nth-child(2){display:block;font-weight:600}.verdict td[data-head]:nth-child(2)::before{content:none}.verdict td:nth-child(5) .bar{grid-column:2}.verdict td:nth-child(5) .used{grid-column:2}
dl{display:block}dt{margin-top:6px;font-size:12.5px}
}
@media print{.stacked tr,figure,.idc{break-inside:avoid}#readout,.cursor{display:none}}
`;

/** Shows the values under the pointer, in all plots at once. Without it the page still says everything. */
export const hoverScript = `
const data=JSON.parse(document.getElementById('timeline').textContent),readout=document.getElementById('readout'),charts=[...document.querySelectorAll('.chart')];
const ms=v=>v===undefined?'–':v.toFixed(1)+' ms';
for(const chart of charts){chart.addEventListener('pointermove',event=>{
const box=chart.getBoundingClientRect(),w=+chart.dataset.width,l=+chart.dataset.left,r=+chart.dataset.right;
const x=(event.clientX-box.left)/box.width*w,s=(x-l)/(w-l-r)*data.seconds,p=data.points[Math.floor(s*1000/data.widthMs)];
if(!p)return;for(const c of charts){if(c.dataset.width!==chart.dataset.width)continue;const k=c.querySelector('.cursor');k.setAttribute('x1',x);k.setAttribute('x2',x)}
const phase=data.phases.find(f=>s>=f.from&&s<f.to);
readout.textContent=p.second.toFixed(2)+' s, '+(phase?phase.name:'')+': '+p.served+' served, '+p.failed+' failed'+(p.refused?', '+p.refused+' refused':'')+'; p50 '+ms(p.p50)+', p99 '+ms(p.p99)+', slowest '+ms(p.max)+'; '+data.idcs.map(i=>i+' '+p.byIdc[i]).join(', ')})}
`;
