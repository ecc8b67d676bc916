/** What the pages look like beyond those that stand alone. */
import { STYLE } from "@suture/pages";

export const PAGE_STYLE = `${STYLE}
header.bar{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:baseline;border-bottom:1px solid var(--line);padding-bottom:.5rem;margin-bottom:1rem}
header.bar a{padding:.25rem 0}
header.bar a[aria-current]{font-weight:700;text-decoration:none;color:var(--fg)}
header.bar form{margin-left:auto;display:flex;gap:.75rem;align-items:baseline}
.skip{position:absolute;left:-99rem}
.skip:focus{position:static}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
form.line{display:flex;flex-wrap:wrap;gap:.5rem;align-items:end;margin:.75rem 0}
label{display:block;font-size:.85rem;color:var(--dim)}
input,select,button{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:.35rem .6rem;max-width:100%;min-height:2.4rem}
label input,label select{display:block;color:var(--fg);width:100%}
button{background:var(--box);cursor:pointer}
button.go{border-color:var(--good);color:var(--good);font-weight:600}
button.stop{background:var(--bad);border-color:var(--bad);color:var(--bg);font-weight:700;padding:.5rem 1.5rem}
form.stack{max-width:26rem;display:grid;gap:.75rem}
ol.stages{list-style:none;padding:0;display:grid;gap:.4rem}
ol.stages li{border-left:5px solid var(--line);padding:.2rem .75rem;background:var(--box)}
ol.stages li.passed{border-color:var(--good)}
ol.stages li[aria-current]{border-color:var(--link)}
fieldset{border:1px solid var(--line);border-radius:6px;margin:0;padding:.2rem .6rem}
legend{font-size:.85rem;color:var(--dim)}
label.box-line{display:inline-block;margin-right:.75rem;color:var(--fg)}
label.box-line input{display:inline;width:auto;min-height:0}
form.inline{display:inline}
progress{width:100%;accent-color:var(--link)}
figure.chart{margin:1rem 0}
.chart svg{width:100%;max-width:48rem;height:auto}
.chart text{font-size:12px;fill:var(--dim)}
.chart .axis{fill:none;stroke:var(--line)}
.chart polyline{fill:none;stroke-width:2}
.chart figcaption{color:var(--dim);font-size:.85rem}
.chart .line-0{stroke:var(--link)}.chart .line-1{stroke:var(--good);stroke-dasharray:8 3}.chart .line-2{stroke:var(--bad);stroke-dasharray:3 3}.chart .line-3{stroke:var(--warn);stroke-dasharray:10 3 2 3}.chart .line-4{stroke:var(--cool)}
.chart .key-0{color:var(--link)}.chart .key-1{color:var(--good)}.chart .key-2{color:var(--bad)}.chart .key-3{color:var(--warn)}.chart .key-4{color:var(--cool)}
table.cards td{overflow-wrap:anywhere}
.tiles{grid-template-columns:repeat(auto-fit,minmax(7rem,1fr))}
.tiles a{color:inherit;text-decoration:none;display:block}
.tiles a:hover b{text-decoration:underline}
@media(max-width:34rem){table.cards thead{position:absolute;left:-99rem}table.cards tr{display:block;border-bottom:1px solid var(--line);padding:.4rem 0}table.cards td{display:block;border:0;padding:.05rem 0}table.cards td.n{text-align:left}table.cards td:empty{display:none}table.cards td[data-h]:not([data-h=""])::before{content:attr(data-h) ": ";color:var(--dim)}header.bar form{margin-left:0}}
`;
