/** The report's style: system fonts, both colour schemes, nothing fetched. */
export const styles = `
:root{color-scheme:light dark;--bg:#fbfbfa;--ink:#1d232b;--dim:#626c78;--rule:#dfe3e8;--card:#fff;--good:#1a7f4b;--bad:#c4302b;--a:#3a6ea5;--b:#d98a29;--served:#9bb7d4;--p50:#2a8a8a;--p99:#7a4fb5;--max:#98a2ae;--shade:#e9edf2;--outage:#f7e3e1;--recovery:#faf0d9}
@media(prefers-color-scheme:dark){:root{--bg:#14181d;--ink:#e5e9ee;--dim:#97a2af;--rule:#2c343d;--card:#1a2027;--good:#4cc38a;--bad:#ff7b72;--a:#6ea3dc;--b:#e5a24a;--served:#4a6787;--p50:#56c2c2;--p99:#b592ea;--max:#7b8794;--shade:#1e252d;--outage:#3a2022;--recovery:#352d1a}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:1020px;margin:0 auto;padding:32px 20px 64px}h1{font-size:26px;line-height:1.25;margin:2px 0 10px;text-wrap:balance}h1::first-letter{text-transform:uppercase}h2{font-size:18px;margin:36px 0 10px}
.kind{margin:0;color:var(--dim);font-size:13px;letter-spacing:.03em}.note{color:var(--dim);font-size:13px;margin:6px 0}.control{color:var(--ink)}
.state{display:inline-block;margin:0 0 6px;padding:4px 12px;border-radius:6px;font-weight:600;color:#fff}.state.good{background:var(--good)}.state.bad{background:var(--bad)}
@media(prefers-color-scheme:dark){.state{color:#14181d}}
figure{margin:14px 0;padding:12px 12px 4px;background:var(--card);border:1px solid var(--rule);border-radius:8px}figcaption{font-size:13px;color:var(--dim);padding-left:4px}figcaption b{color:var(--ink)}
.key{margin-left:16px;white-space:nowrap}.key i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:5px;vertical-align:-1px}
i.served{background:var(--served)}i.failed{background:var(--bad)}i.lostInFlight{background:var(--b)}i.refused{background:var(--max)}i.p50{background:var(--p50)}i.p99{background:var(--p99)}i.max{background:var(--max);border-radius:50%}i.idc-0{background:var(--a)}i.idc-1{background:var(--b)}i.idc-2{background:var(--p99)}i.idc-3{background:var(--p50)}i.idc-4{background:var(--good)}i.idc-5{background:var(--max)}
.chart{display:block;width:100%;height:auto;cursor:crosshair}.phase{fill:transparent}.phase.quiet{fill:var(--shade)}.phase.broken{fill:var(--outage)}.phase.healing{fill:var(--recovery)}.phase-name{font-size:11px;fill:var(--dim)}
.grid{stroke:var(--rule)}.tick{font-size:11px;fill:var(--dim);font-variant-numeric:tabular-nums}.line{fill:none;stroke-width:1.6;stroke-linejoin:round}.line.p50{stroke:var(--p50)}.line.p99{stroke:var(--p99)}.dot.max{fill:var(--max)}
.columns.served{fill:var(--served)}.columns.failed{fill:var(--bad)}.columns.lostInFlight{fill:var(--b)}.columns.refused{fill:var(--max)}.columns.idc-0{fill:var(--a)}.columns.idc-1{fill:var(--b)}.columns.idc-2{fill:var(--p99)}.columns.idc-3{fill:var(--p50)}.columns.idc-4{fill:var(--good)}.columns.idc-5{fill:var(--max)}
.mark{stroke:var(--ink);stroke-dasharray:4 3;opacity:.65}.cursor{stroke:var(--dim);stroke-width:1}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13.5px}th{text-align:left;font-weight:600;color:var(--dim);font-size:12px}th,td{padding:6px 10px;border-bottom:1px solid var(--rule);vertical-align:top}
.figures th:nth-child(n+3):nth-child(-n+8),.number{text-align:right;font-variant-numeric:tabular-nums}.figures .all td{font-weight:600;border-top:2px solid var(--rule)}.bound{white-space:nowrap}
.mark-cell{font-weight:700}.good .mark-cell{color:var(--good)}.bad .mark-cell{color:var(--bad)}tr.bad td{background:color-mix(in srgb,var(--bad) 9%,transparent)}
.events{padding-left:20px}.events b{font-variant-numeric:tabular-nums;margin-right:6px}dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;font-size:13.5px;margin:0}dt{color:var(--dim)}dd{margin:0}
`;

/** Shows the values under the pointer, in all plots at once. Without it the page still says everything. */
export const hoverScript = `
const data=JSON.parse(document.getElementById('timeline').textContent),readout=document.getElementById('readout'),charts=[...document.querySelectorAll('.chart')];
const ms=v=>v===undefined?'–':v.toFixed(1)+' ms';
for(const chart of charts){chart.addEventListener('pointermove',event=>{
const box=chart.getBoundingClientRect(),w=+chart.dataset.width,l=+chart.dataset.left,r=+chart.dataset.right;
const x=(event.clientX-box.left)/box.width*w,s=(x-l)/(w-l-r)*data.seconds,p=data.points[Math.floor(s*1000/data.widthMs)];
if(!p)return;for(const c of charts){const k=c.querySelector('.cursor');k.setAttribute('x1',x);k.setAttribute('x2',x)}
const phase=data.phases.find(f=>s>=f.from&&s<f.to);
readout.textContent=p.second.toFixed(2)+' s, '+(phase?phase.name:'')+': '+p.served+' served, '+p.failed+' failed'+(p.refused?', '+p.refused+' refused':'')+'; p50 '+ms(p.p50)+', p99 '+ms(p.p99)+', slowest '+ms(p.max)+'; '+data.idcs.map(i=>i+' '+p.byIdc[i]).join(', ')})}
`;
