"""The table and the JSON of a run."""


def _number(x):
    if x >= 1000:
        return f"{x:,.0f}"
    return f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def _rows_of(figure, group, results):
    """One dict per variant that has something to say about this figure: ours, control, peers."""
    controls = [v for v in group.variants if v.role == "control"]
    base = results[controls[0].name].summary(figure.key) if controls else None
    rows = []
    for v in group.variants:
        series = results[v.name]
        got = series.summary(figure.key)
        if got is None and not series.missing and not series.failed:
            continue
        row = {"variant": v.name, "role": v.role, "note": v.note, "median": None}
        if got is not None:
            row.update(median=got[0], min=got[1], max=got[2], rounds=series.values[figure.key])
            row["ratio"] = got[0] / base[0] if base and base[0] else None
        if series.missing or series.failed:
            row["missing" if series.missing else "failed"] = series.missing or series.failed
        rows.append(row)
    sign = 1 if figure.better == "lower" else -1
    order = {"ours": 0, "control": 1, "peer": 2}
    # ours and the controls as they are listed, peers from best to worst
    rows.sort(key=lambda r: (order[r["role"]],) if r["role"] != "peer" else (
        order["peer"], r["median"] is None, sign * (r["median"] or 0)))
    return rows


def _verdict(figure, rows):
    """Whether the first of ours meets the goal; "" without a goal or a number."""
    if not figure.goal() or rows[0]["role"] != "ours" or rows[0]["median"] is None:
        return ""
    return "; ".join(figure.misses(rows[0]["median"], rows[0]["ratio"])) or "met"


def collect(groups, results):
    """The rows of the table as plain data."""
    out = []
    for group in groups:
        for figure in group.figures:
            rows = _rows_of(figure, group, results[group.name])
            if rows:
                out.append({"group": group.name, "figure": figure.key, "title": figure.title,
                            "unit": figure.unit, "goal": figure.goal(),
                            "better": figure.better, "verdict": _verdict(figure, rows),
                            "variants": rows})
    return out


def _line(row, unit):
    mark = {"ours": "*", "control": "=", "peer": " "}[row["role"]]
    text = f" {mark} {row['variant']:<34}"
    if row["median"] is None:
        why = row.get("missing")
        return f"{text} not installed: {why}" if why else f"{text} failed: {row['failed']}"
    ratio = f"{row['ratio']:6.2f}" if row.get("ratio") else "     -"
    text += (f"{_number(row['median']):>10} {unit:<9} {ratio}   "
             f"{_number(row['min'])} to {_number(row['max'])}")
    notes = [row["note"], f"then failed: {row['failed']}" if "failed" in row else ""]
    return "   ".join([text, *filter(None, notes)])


def _cells(row, unit):
    name = f"**{row['variant']}**" if row["role"] == "ours" else row["variant"]
    if row["median"] is None:
        why = f"not installed: {row['missing']}" if "missing" in row else "failed"
        return f"| | {name} | {why} | | |"
    ratio = "control" if row["role"] == "control" and row.get("ratio") == 1 else ""
    ratio = ratio or (f"{row['ratio']:.2f}" if row.get("ratio") else "-")
    return (f"| {ratio} | {name} | {_number(row['median'])} {unit} | "
            f"{_number(row['min'])} to {_number(row['max'])} | {row['note']} |")


def markdown(run):
    """The same for docs/performance.md, ratios first."""
    lines = [*(f"    {line}" for line in _head(run)), "",
             "| goal | of control | ours | |", "|---|---|---|---|"]
    for row in (r for r in run["rows"] if r["verdict"]):
        ours = row["variants"][0]
        lines.append(f"| {row['title']}: {row['goal']} | {ours['ratio']:.2f} | "
                     f"{_number(ours['median'])} {row['unit']} | {row['verdict']} |")
    lines.append("")
    for row in run["rows"]:
        goal = f" (goal: {row['goal']})" if row["goal"] else ""
        lines += [f"### {row['title'][0].upper()}{row['title'][1:]}{goal}", "",
                  "| of control | | median | least to most | |", "|---|---|---|---|---|"]
        lines += [_cells(r, row["unit"]) for r in row["variants"]] + [""]
    return "\n".join([*lines, *run["remarks"], ""])


def _head(run):
    m, d = run["machine"], run["distance"]
    return [
        f"machine   {m['cpu']}, {m['cores']} cores{', virtual' if m['virtual'] else ''}, "
        f"{m['memory_gb']} GB, Linux {m['kernel']}",
        "distance  " + ", ".join(f"{when} {d[when]['ns']} ns ({d[when]['word']})" for when in d),
        f"clock     {m['clock']};",
        f"          one read {m['clock_read_ns']:.0f} ns, clock_gettime "
        f"{m['clock_gettime_ns']:.0f} ns; constant_tsc {'yes' if m['constant_tsc'] else 'NO'}",
        f"run       {run['rounds']} rounds in turn, {run['seconds']:.0f} s"
        f"{', quick' if run['quick'] else ''}"]


def table(run):
    """The run as text: what the command prints."""
    lines = _head(run) + [
        "", "   * ours   = control        median            of control   least to most"]
    for row in run["rows"]:
        goal = f"   [goal: {row['goal']}]" if row["goal"] else ""
        more = " (more is better)" if row["better"] != "lower" else ""
        verdict = f" {row['verdict']}" if row["verdict"] else ""
        lines += ["", f"{row['title']}{more}{goal}{verdict}"]
        lines += [_line(r, row["unit"]) for r in row["variants"]]
    return "\n".join(lines + ["", *run["remarks"], ""])
