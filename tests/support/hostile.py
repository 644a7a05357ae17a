"""Names that try to be something else: markup, paths, commands, control characters, sheer length."""

HOSTILE_NAMES = (
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>alert(2)</script>",
    "\"quoted\" 'twice' & `ticked`",
    "two\nlines\r\nand\ta tab",
    "../../etc/passwd; $(reboot) | cat",
    "{{ 7 * 7 }} {% raw %} {a|styled}",
    "\x1b[2J\x1b[31mred\u202egnp.exe",
    "lone \ud800 surrogate",
    "x" * 10_000,
)
