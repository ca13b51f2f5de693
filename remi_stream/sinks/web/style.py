"""CSS of the panel's own HTML. Text colours are the theme's, to be readable in dark and light."""

from __future__ import annotations

GOOD, PENDING, BAD, QUIET = "#3fa34d", "#d99a1c", "#cc333f", "#8a919c"

STYLE = """<style>
:root[data-mantine-color-scheme=dark]{--mantine-color-dimmed:#b4bac4!important;--remi-groove:#3a3d42;--remi-error:#ff9d92}
:root[data-mantine-color-scheme=light]{--mantine-color-dimmed:#565d66!important;--remi-groove:#dfe3e8;--remi-error:#b3261e}
.remi{padding:0 .75em .5em;font-size:.8rem;line-height:1.5;color:var(--mantine-color-text);font-variant-numeric:tabular-nums}
.remi b{font-weight:600}
.remi i{display:inline-block;width:.65em;height:.65em;border-radius:50%;margin-right:.35em}
.remi s{display:inline-block;width:.65em;height:.65em;border-radius:.15em;margin-right:.35em}
.remi .big{font-size:1.2rem;font-weight:600}
.remi .row{display:flex;gap:.6em;align-items:center;white-space:nowrap}
.remi .row>:first-child{flex:1 1 auto;overflow:hidden;text-overflow:ellipsis}
.remi .right{text-align:right;min-width:3.4em}
.remi .groove{width:3.6em;height:.4em;border-radius:.2em;background:var(--remi-groove);overflow:hidden}
.remi .groove>div{height:100%}
.remi .stack{display:flex;height:.8em;border-radius:.2em;overflow:hidden;gap:1px;margin:.2em 0 .35em}
.remi .legend{display:grid;grid-template-columns:1fr 1fr 1fr;column-gap:.6em;font-size:.75rem}
.remi .legend>div{display:flex;white-space:nowrap;align-items:center}
.remi .legend>div>:last-child{margin-left:auto;padding-left:.3em}
.remi .head{margin-top:.35em;font-weight:600}
.remi .dim{color:var(--mantine-color-dimmed)}
.remi .wrap{overflow-wrap:anywhere}
.remi .error{color:var(--remi-error);overflow-wrap:anywhere}
.remi .scale{height:.5em;border-radius:.25em;margin:.1em 0}
[role=tablist] button{padding:.5em .62em!important}
[role=tablist]{flex-wrap:nowrap!important}
[role=tab][aria-selected=true]{color:var(--mantine-color-text)!important}
@media (max-width:36em){.uplot-container{display:none!important}img{max-height:7.5em!important}
[role=tablist] button{padding:.5em .4em!important}.remi .legend{grid-template-columns:1fr 1fr}.remi .groove{width:2em}}
</style>"""
"""Overrides the theme's grey, whose contrast is too low, and hides the plots on phones, where there is no room for them."""
