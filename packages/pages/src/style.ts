/** What both pages look like: on paper, on a telephone, in the dark. */
export const STYLE = `
:root{--fg:#1c2024;--dim:#5f6873;--bg:#fff;--box:#f5f6f8;--line:#d8dce1;--link:#0b57b0;--add:#e3f6e6;--addfg:#116329;--del:#fde8e8;--delfg:#a4161a;--good:#116329;--bad:#a4161a;--warn:#8a5a00;--cool:#40546a}
@media(prefers-color-scheme:dark){:root{--fg:#e4e7eb;--dim:#9aa4af;--bg:#14171a;--box:#1d2125;--line:#363c43;--link:#7ab7ff;--add:#12301b;--addfg:#8fdca1;--del:#3a181a;--delfg:#ffaaa5;--good:#7fd694;--bad:#ff9a94;--warn:#e9b95c;--cool:#a9bdd4}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem clamp(.75rem,3vw,2rem) 4rem;max-width:78rem;font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:var(--fg);background:var(--bg);overflow-wrap:break-word}
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0 .25rem}
h2{font-size:1.2rem;margin:2rem 0 .5rem;padding-top:.75rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.5rem 0 .25rem}
h3 code{font-size:1rem}
h3 .dim{font-weight:400}
p{margin:.4rem 0}
a{color:var(--link)}
code,pre,.m{font-family:ui-monospace,SFMono-Regular,"DejaVu Sans Mono",Menlo,monospace;font-size:.8125rem}
code,.m{overflow-wrap:anywhere}
.dim{color:var(--dim)}
.lead{color:var(--dim);margin:0 0 1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.5rem 0}
dt{color:var(--dim)}
dd{margin:0;min-width:0}
.box{background:var(--box);border:1px solid var(--line);border-radius:6px;padding:.6rem .9rem;margin:.75rem 0}
.alarm{border-color:var(--bad);border-left-width:5px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}
th{color:var(--dim);font-weight:600}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
details{border-bottom:1px solid var(--line)}
details details{border-bottom:0}
summary{cursor:pointer;padding:.4rem 0}
summary:hover{background:var(--box)}
details>div{padding:.1rem 0 .9rem 1.1rem}
pre.diff{margin:.4rem 0;padding:.5rem 0;background:var(--box);border:1px solid var(--line);border-radius:6px;overflow-x:auto;line-height:1.4;tab-size:8}
pre.diff span{display:block;width:max-content;min-width:100%;padding:0 .75rem}
.a{background:var(--add);color:var(--addfg)}
.d{background:var(--del);color:var(--delfg)}
.h{color:var(--dim)}
table.code{font-family:ui-monospace,SFMono-Regular,"DejaVu Sans Mono",Menlo,monospace;font-size:.75rem;line-height:1.35;table-layout:fixed;min-width:40rem}
table.code td{padding:0 .5rem;border:0;overflow-wrap:anywhere}
table.code td.n{color:var(--dim);padding-right:.25rem}
table.code col.o{width:3.6rem}
table.code tr.gap td{color:var(--dim);padding:.25rem .5rem;text-align:center}
.s{display:inline-block;font-size:.78rem;font-weight:600;padding:0 .5rem;border:1px solid currentColor;border-radius:1rem;white-space:nowrap}
.s-carried,.s-good{color:var(--good)}
.s-left-out,.s-bad{color:var(--bad)}
.s-unknown,.s-warn{color:var(--warn)}
.s-not-built,.s-no-need,.s-in-the-kernel,.s-same{color:var(--cool)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.6rem;margin:1rem 0;padding:0;list-style:none}
.tiles li{background:var(--box);border:1px solid var(--line);border-radius:6px;padding:.5rem .75rem}
.tiles b{display:block;font-size:1.5rem;line-height:1.2;font-variant-numeric:tabular-nums}
.tools{position:sticky;top:0;z-index:1;background:var(--bg);padding:.6rem 0;display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;border-bottom:1px solid var(--line)}
.tools[hidden]{display:none}
.tools input,.tools select,.tools button{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:.3rem .6rem;max-width:100%}
.tools input{flex:1 1 14rem;min-width:0}
.row{content-visibility:auto;contain-intrinsic-size:auto 2.6rem}
.row[hidden]{display:none}
.row summary{display:flex;flex-wrap:wrap;gap:.1rem .6rem;align-items:baseline}
.row summary::before{content:"▸";color:var(--dim)}
.row[open] summary::before{content:"▾"}
.row summary>.s{min-width:6.6rem;text-align:center}
.row summary .t{flex:1 1 16rem;min-width:0}
.sign{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:1.5rem;margin-top:1.5rem}
.sign span{border-top:1px solid var(--fg);padding-top:.25rem;margin-top:2.5rem;color:var(--dim);font-size:.85rem}
@media(max-width:34rem){pre.diff{tab-size:4}table.code{min-width:31rem}table.code col.o{width:2.8rem}table.code td{padding:0 .25rem}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4rem}details>div{padding-left:.3rem}h1{font-size:1.25rem}table.wide{display:block;overflow-x:auto}}
@media print{.tools{display:none}body{max-width:none}a{color:inherit;text-decoration:none}}
`;
