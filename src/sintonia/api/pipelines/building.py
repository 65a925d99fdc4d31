"""From silos to a store, its report of identities, its features, the removal of a customer, and what each reports."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sintonia.api.pipelines.figures import Figures, file_lines, json_value, texts
from sintonia.core.config import (
    BuildSettings,
    FeaturesSettings,
    ForgetSettings,
    IdentitySettings,
    SimulateSettings,
    SourceConfig,
    iso_time,
)
from sintonia.core.engine import connect
from sintonia.core.formats import prepare_workspace
from sintonia.core.paths import REJECTED
from sintonia.core.progress import step, track
from sintonia.data.identity.crowded import keep_crowded, refuse_crowded
from sintonia.data.identity.evidence import masked_key
from sintonia.data.identity.explanation import Explanation, explain, lines
from sintonia.data.identity.golden import write_customers
from sintonia.data.identity.report import (
    IdentityReport,
    grouped,
    read_records,
    render_identity_page,
    report_records,
    report_store,
)
from sintonia.data.identity.resolve import tie
from sintonia.data.privacy.erase import Erased
from sintonia.data.privacy.person import DataSubject
from sintonia.data.privacy.tombstones import read_tombstones, refuse_erased
from sintonia.data.sources.mapping import DateBounds, Money, map_silo
from sintonia.data.sources.silos import locate_root, require_interactions
from sintonia.data.store import Store, identity_folder, open_store
from sintonia.data.store.write import write_rejected, write_store
from sintonia.features import as_csv, catalogue, feature_entries, fit
from sintonia.features.cache import prune
from sintonia.features.families.own_measures import SENTIMENT
from sintonia.registry import models, runs
from sintonia.registry.tracking import open_tracking
from sintonia.synthetic import SimulationSummary


def simulate_figures(summary: SimulationSummary) -> Figures:
    """Return how many rows each silo of the synthetic brand has, and where they are."""
    say = [f"Synthetic brand: {summary.customers:,} customers in {len(summary.rows)} silos"]
    say += [f"  {name:<20} {rows:>10,} rows" for name, rows in summary.rows.items()]
    files = [*summary.files, summary.truth]
    say += file_lines(files)
    return {"customers": summary.customers, "rows": dict(summary.rows), "files": texts(files), "say": say}


VOICES = {"contact", "complaint", "review"}
"""Kinds of interaction in which a customer says something."""


def without_sentiment(store: Store, source: SourceConfig) -> tuple[list[str], str | None]:
    """Return the silos that map no sentiment where customers speak, or all where no silo maps one, and a sentence.

    There is no sentence when every silo in which customers speak maps it.
    """
    mapped = {
        name for name, silo in source.silos.items() if SENTIMENT in {**silo.interactions, **silo.constants}
    }
    silent = [silo.name for silo in store.silos if silo.kinds and silo.name not in mapped]
    if mapped:
        silent = [silo.name for silo in store.silos if silo.name in silent and VOICES & {*silo.kinds}]
    if not silent:
        return [], None
    if not mapped:
        return silent, "No silo maps sentiment: features that need it are missing, and not 0."
    who, verb = ("Silo", "maps") if len(silent) == 1 else ("Silos", "map")
    return silent, (
        f"{who} {', '.join(silent)} {verb} no sentiment: features that need it do not see "
        f"{'its' if len(silent) == 1 else 'their'} rows, which are not counted as 0."
    )


def build_figures(store: Store, other_files: Sequence[Path], source: SourceConfig) -> Figures:
    """Return, silo by silo, rows in = rows stored + rejected, with reasons; `other_files` lie outside the store."""
    warnings = [warning for silo in store.silos for warning in silo.warnings]
    say = [f"Look first: {warning}" for warning in warnings]
    say.append(f"{'silo':<20} {'rows in':>10}   {'stored':>10}   {'rejected':>8}")
    for silo in store.silos:
        say.append(f"{silo.name:<20} {silo.rows:>10,} = {silo.stored:>10,} + {silo.rejected:>8,}")
        say += [f"    {count:>8,}  {reason}" for reason, count in silo.reasons.items()]
        if silo.older_versions:
            say.append(
                f"    {silo.older_versions:>8,}  older versions, known until a newer one or a deletion"
            )
        if silo.identical:
            say.append(
                f"    {silo.identical:>8,}  identical rows of one file, kept; keep: distinct counts them once"
            )
        if silo.missing_amounts:
            say.append(f"    {silo.missing_amounts:>8,}  purchases stored without an amount")
        say += [f"              found: {text}" for text in silo.reading]
        if silo.after_until:
            say.append(f"    {silo.after_until:>8,}  not read: after source.until")
    say.append(
        f"{store.customers:,} customers, {store.interactions:,} interactions, store {store.fingerprint}"
    )
    silent, sentence = without_sentiment(store, source)
    say += [] if sentence is None else [sentence]
    with_rejected_rows = {silo.name for silo in store.silos if silo.rejected}
    files = [
        store.folder,
        *(path for path in other_files if path.parent.name != REJECTED or path.stem in with_rejected_rows),
    ]
    say += file_lines(files)
    return {
        "customers": store.customers,
        "interactions": store.interactions,
        "fingerprint": store.fingerprint,
        "store": str(store.folder),
        "without_sentiment": silent,
        "silos": {
            silo.name: {
                "rows": silo.rows,
                "stored": silo.stored,
                "rejected": silo.rejected,
                "after_until": silo.after_until,
                "older_versions": silo.older_versions,
                "identical": silo.identical,
                "reasons": dict(silo.reasons),
                "data_until": str(silo.data_until) if silo.data_until else None,
                "missing_amounts": silo.missing_amounts,
                "reading": list(silo.reading),
                "warnings": list(silo.warnings),
            }
            for silo in store.silos
        },
        "files": texts(files),
        "say": say,
    }


def identity_figures(report: IdentityReport, examples: int, page: Path) -> Figures:
    """Return sizes, rules, cases for a person to review and, against the truth, precision, recall and F1."""
    say = [f"{report.records:,} {report.what}, {report.customers:,} customers"]
    sizes = ", ".join(f"{n:,} of {size}" for size, n in grouped(report.sizes).items())
    say.append(f"Customers by records: {sizes}")
    say.append("Ties by rule: " + ", ".join(f"{rule} {count:,}" for rule, count in report.rules.items()))
    agreement = {}
    if report.quality is not None:
        for name in ("pairwise", "b_cubed"):
            quality = getattr(report.quality, name)
            agreement[name] = {"precision": quality.precision, "recall": quality.recall, "f1": quality.f1}
            text = "  ".join(f"{key} {value:.4f}" for key, value in agreement[name].items())
            say.append(f"Against the truth, {name.replace('_', '-'):<9} {text}")
    shown = {name: list(map(str, quality[:examples])) for name, quality in report.examples.items()}
    for name, examples_of in shown.items():
        title = f"{report.findings[name]:,} {name}" if name in report.findings else name.capitalize()
        say += [f"{title}, to look at:", *(f"  {line}" for line in examples_of)]
    return {
        "what": report.what,
        "records": report.records,
        "customers": report.customers,
        "sizes": {str(size): count for size, count in report.sizes.items()},
        "rules": dict(report.rules),
        "findings": dict(report.findings),
        "examples": shown,
        **agreement,
        "files": [str(page)],
        "say": say + file_lines([page]),
    }


def explanation_figures(explanation: Explanation) -> Figures:
    """Return why records are one customer: identifiers, links and separations, each with its time, masked."""
    return {
        **json_value(asdict(explanation)),
        "asked": masked_key(explanation.asked),
        "files": [],
        "say": lines(explanation),
    }


def features_figures(subject: str, entries: Sequence[dict[str, Any]], out: str | None) -> Figures:
    """Return the features, one entry each; for people, family by family with what each means."""
    say = [f"{len(entries):,} features of {subject}"]
    width = max((len(entry["name"]) for entry in entries), default=0)
    family = None
    for entry in entries:
        if entry["family"] != family:
            family = entry["family"]
            say += ["", family]
        missing = (
            entry["missing"]
            if entry["missing"].startswith("never missing")
            else f"missing: {entry['missing']}"
        )
        unit = f"{entry['unit']}; {missing}"
        say.append(f"  {entry['name']:<{width}}  {entry['definition']} ({unit}). {entry['why']}.")
    files = [] if out is None else [Path(out)]
    return {
        "of": subject,
        "features": list(entries),
        "files": texts(files),
        "say": say + (file_lines(files) if files else []),
    }


def forget_figures(person: DataSubject, erased: Erased, searched: int) -> Figures:
    """Return how many rows went from which file, counts of what was entombed, and what was left alone; no value."""
    kinds = person.kinds()
    counts = ", ".join(f"{kind} {count:,}" for kind, count in kinds.items()) or "none known"
    say = [f"Forgotten: {len(person.ids):,} customer ids, {sum(kinds.values()):,} identifiers ({counts})"]
    if person.shared:
        say.append(f"{len(person.shared):,} of them are shared with other customers and stay theirs")
    say += [f"{rows:>10,} rows of {name}" for name, rows in erased.removed.items()] or ["No rows to remove"]
    say.append(
        f"{len(person.entombed):,} tombstones in {erased.tombstones} keep them from returning; "
        f"{searched:,} files decoded and searched, no trace left"
    )
    say += [f"Not changed, as it is outside the workspace: {path}" for path in erased.outside]
    store = erased.store
    say.append(
        f"{store.customers:,} customers, {store.interactions:,} interactions, store {store.fingerprint}"
    )
    return {
        "customer_ids": len(person.ids),
        "identifiers": kinds,
        "shared_identifiers": len(person.shared),
        "removed": dict(erased.removed),
        "searched_files": searched,
        "left_alone": texts(erased.outside),
        "customers": store.customers,
        "interactions": store.interactions,
        "fingerprint": store.fingerprint,
        "files": [str(erased.tombstones)],
        "say": say,
    }


def simulate(settings: SimulateSettings) -> Figures:
    """Return what was written of the synthetic brand: silos under silos/, and apart from them truth/."""
    from sintonia.synthetic import simulate as write_silos

    prepare_workspace(settings.paths.root)
    return simulate_figures(write_silos(settings, settings.paths.root))


def build(settings: BuildSettings) -> Figures:
    """Return what became of every silo's rows, now in the store."""
    workspace, source = settings.paths.root, settings.source
    prepare_workspace(workspace)
    root = locate_root(source)
    bounds = DateBounds(
        until=iso_time("source.until", source.until) if source.until else None,
        today=iso_time("source.today", source.today)
        if source.today
        else datetime.now(UTC).replace(tzinfo=None),
        not_before=iso_time("source.not_before", source.not_before),
    )
    money = Money(source.currency, None if source.rates is None else root / source.rates)
    erased = read_tombstones(workspace)
    with connect(settings.engine, workspace) as connection:
        silos = [
            refuse_erased(
                connection,
                map_silo(connection, name, silo, root, bounds, money, tuple(source.placeholders)),
                silo,
                erased,
                settings.identity.shareable,
            )
            for name, silo in track(source.silos.items(), "Reading silos", len(source.silos))
        ]
        silos = refuse_crowded(connection, silos, source.silos, settings.identity)
        rejected = write_rejected(connection, workspace, list(source.silos))
        require_interactions(source.name, silos)
        with step("Linking identifiers to customers"):
            previous_identity = identity_folder(workspace, source.name)
            findings = tie(connection, workspace, source, settings.identity, previous_identity)
            keep_crowded(connection)
        store = write_store(connection, workspace, source, silos, settings.engine.buckets)
        findings += write_customers(connection, workspace, settings.identity)
    prune(store.features, store.fingerprint, settings.engine.feature_cache_gib)
    return build_figures(store, [*rejected, *findings], source)


def identity(settings: IdentitySettings) -> Figures:
    """Return how well records were matched to customers, with a page; with `customer`, why records are that one."""
    if settings.customer is not None:
        return explanation_figures(explain(open_store(settings.paths.root).folder, settings.customer))
    report, default_page = (
        _records_report(settings) if settings.records is not None else _store_report(settings)
    )
    page = Path(settings.out) if settings.out else default_page
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_identity_page(report), encoding="utf-8")
    return identity_figures(report, settings.examples, page)


def _records_report(settings: IdentitySettings) -> tuple[IdentityReport, Path]:
    """Return the report of a table of person records, and the path of its page: beside the table."""
    path = Path(str(settings.records))
    table = read_records(path)
    with step("Matching person records"):
        report = report_records(table, settings.fields, settings.truth, settings.identity, path.name)
    return report, path.with_name(f"{path.stem}-identity.html")


def _store_report(settings: IdentitySettings) -> tuple[IdentityReport, Path]:
    """Return the report of the workspace's store, and the path of its page."""
    workspace = settings.paths.root
    store, truth = open_store(workspace), Path(settings.truth) if settings.truth else None
    report = report_store(store.folder, workspace, truth, f"{store.source}, store {store.fingerprint}")
    return report, settings.paths.identity_report


def features(settings: FeaturesSettings) -> Figures:
    """Return every feature of a configuration on the workspace's store, or of a task's registered model."""
    workspace = settings.paths.root
    if settings.registered is None:
        store = open_store(workspace)
        with step("Checking which data the brand has"):
            fitted = fit(settings.features, store, datetime.max)  # all that is stored
        subject, entries = store.source, feature_entries(catalogue(settings.features, fitted))
    else:
        tracking = open_tracking(settings.tracking, workspace)
        registered = models.find_registered(tracking, settings.registered)
        subject = f"{registered.name} version {registered.version}"
        entries = runs.read_document(tracking, registered.run_id, runs.CATALOGUE)
    if settings.out is not None:
        Path(settings.out).write_text(as_csv(entries), encoding="utf-8")
    return features_figures(subject, entries, settings.out)


def forget(settings: ForgetSettings) -> Figures:
    """Return what was removed of a customer; no file of the workspace contains the customer afterwards."""
    from sintonia.data.privacy.erase import erase, sweep
    from sintonia.data.privacy.person import find_person, plan_search, search_workspace

    workspace = settings.paths.root
    store = open_store(workspace)
    person = find_person(store, workspace, read_tombstones(workspace), settings.customer)
    sweep(workspace)
    search = plan_search(workspace, settings.source, person)
    with step("Removing the customer"), connect(settings.engine, workspace) as connection:
        erased = erase(connection, store, settings.source, person, search)
    with step("Searching every file"):
        searched = search_workspace(search)
    return forget_figures(person, erased, searched)
