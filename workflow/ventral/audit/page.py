"""Write the page with the result of an audit, for reading and printing."""

from collections.abc import Sequence
from html import escape

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Audit of {results}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }}
.passed, .failed {{ padding: .6rem 1rem; border-left: .4rem solid; font-size: 1.2rem; }}
.passed {{ border-color: #1b7837; background: #e9f5ec; }}
.failed {{ border-color: #b2182b; background: #fbeaec; }}
table {{ border-collapse: collapse; width: 100%; margin: 1rem 0; }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #ddd; }}
td {{ overflow-wrap: anywhere; }}
td:first-child {{ width: 34%; }}
td:nth-child(2), td:nth-child(3) {{ white-space: nowrap; }}
tr.bad td:nth-child(2) {{ color: #b2182b; font-weight: bold; }}
thead {{ display: table-header-group; }}
tr {{ break-inside: avoid; }}
@media print {{ body {{ font-size: 10px; max-width: none; margin: 0; }} }}
</style>
</head>
<body>
<h1>Audit of {results}</h1>
<p class="{verdict}">{verdict}: {summary}</p>
<p>{date}. The audit compared every output of the config with its record, and the record with the present config, code
and packages. Outputs that were rerun were made once more in a clean directory.</p>
<table>
<thead><tr><th>output</th><th>verdict</th><th>stage</th><th>reason</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""
ROW = '<tr class="{kind}"><td>{path}</td><td>{verdict}</td><td>{stage}</td><td>{reason}</td></tr>'


def as_page(audit: dict, results: str, passed: Sequence[str]) -> str:
    """Return the page of an audit, with failures first.

    Parameters
    ----------
    audit : dict
        Content of the file `verdicts` from `ventral.audit.verdicts.audit`.
    results : str
        Folder of the outputs.
    passed : sequence of str
        Verdicts with which an output passes.
    """
    outputs = sorted(audit["outputs"], key=lambda output: output["verdict"] in passed)
    rows = [
        ROW.format(
            kind="good" if output["verdict"] in passed else "bad",
            **{key: escape(output[key]) for key in ("path", "verdict", "stage", "reason")},
        )
        for output in outputs
    ]
    return PAGE.format(
        results=escape(results),
        verdict=escape(audit["verdict"]),
        summary=escape(", ".join(f"{count} {verdict}" for verdict, count in audit["counts"].items())),
        date=escape(audit["date"]),
        rows="\n".join(rows),
    )
