"""Silos to store, what is known of customers and features, and a customer out of it all again."""

from datetime import UTC, datetime
from pathlib import Path

from sintonia.api.reports.building import (
    build_figures,
    explanation_figures,
    features_figures,
    forget_figures,
    identity_figures,
    simulate_figures,
)
from sintonia.api.reports.figures import Figures
from sintonia.core.config import (
    BuildSettings,
    FeaturesSettings,
    ForgetSettings,
    IdentitySettings,
    SimulateSettings,
    iso_time,
)
from sintonia.core.engine import connect
from sintonia.core.progress import step, track
from sintonia.data.identity.explaining import explain
from sintonia.data.identity.golden import write_customers
from sintonia.data.identity.page import render_identity_page
from sintonia.data.identity.report import IdentityReport, read_records, report_records, report_store
from sintonia.data.identity.tying import tie
from sintonia.data.privacy.tombstones import read_tombstones, refuse_erased
from sintonia.data.sources.locate import locate_root
from sintonia.data.sources.mapping import DateBounds, map_silo
from sintonia.data.sources.report import require_interactions
from sintonia.data.store import identity_folder, open_store
from sintonia.data.store.write import write_rejected, write_store
from sintonia.features import as_csv, catalogue, feature_entries, fit
from sintonia.features.cache import prune
from sintonia.registry import artifacts, models


def simulate(settings: SimulateSettings) -> Figures:
    """Return what was written of the synthetic brand: silos under silos/, and apart from them truth/."""
    from sintonia.synthetic import simulate as write_silos

    return simulate_figures(write_silos(settings, settings.paths.root))


def build(settings: BuildSettings) -> Figures:
    """Return what became of every silo's rows, now in the store."""
    workspace, source = settings.paths.root, settings.source
    root = locate_root(source)
    bounds = DateBounds(
        until=iso_time("source.until", source.until) if source.until else None,
        today=iso_time("source.today", source.today)
        if source.today
        else datetime.now(UTC).replace(tzinfo=None),
    )
    erased = read_tombstones(workspace)
    with connect(settings.engine, workspace) as connection:
        silos = [
            refuse_erased(
                connection,
                map_silo(connection, name, silo, root, bounds),
                silo,
                erased,
                settings.identity.shareable,
            )
            for name, silo in track(source.silos.items(), "Reading silos", len(source.silos))
        ]
        rejected = write_rejected(connection, workspace, list(source.silos))
        require_interactions(source.name, silos)
        with step("Tying identifiers to customers"):
            earlier = identity_folder(workspace, source.name)
            findings = tie(connection, workspace, source, settings.identity, earlier)
        store = write_store(connection, workspace, source, silos, settings.engine.buckets)
        findings += write_customers(connection, workspace, settings.identity)
    prune(store.features, store.fingerprint, settings.engine.feature_cache_gib)
    return build_figures(store, [*rejected, *findings])


def identity(settings: IdentitySettings) -> Figures:
    """Return how well records became customers, with a page on it; or, with `customer`, why one is a customer."""
    if settings.customer is not None:
        return explanation_figures(explain(open_store(settings.paths.root).folder, settings.customer))
    report, beside = _records_report(settings) if settings.records is not None else _store_report(settings)
    page = Path(settings.out) if settings.out else beside
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_identity_page(report), encoding="utf-8")
    return identity_figures(report, settings.examples, page)


def _records_report(settings: IdentitySettings) -> tuple[IdentityReport, Path]:
    """Return the report of a table of person records, and where its page goes: beside the table."""
    path = Path(str(settings.records))
    table = read_records(path)
    with step("Matching person records"):
        report = report_records(table, settings.fields, settings.truth, settings.identity, path.name)
    return report, path.with_name(f"{path.stem}-identity.html")


def _store_report(settings: IdentitySettings) -> tuple[IdentityReport, Path]:
    """Return the report of the workspace's store, and where its page goes: beside what its build found."""
    workspace = settings.paths.root
    store, truth = open_store(workspace), Path(settings.truth) if settings.truth else None
    report = report_store(store.folder, workspace, truth, f"{store.source}, store {store.fingerprint}")
    return report, settings.paths.identity_report


def features(settings: FeaturesSettings) -> Figures:
    """Return every feature of a configuration on the workspace's store, or of a task's registered model."""
    workspace = settings.paths.root
    if settings.registered is None:
        store = open_store(workspace)
        with step("Looking at what the brand has"):
            fitted = fit(settings.features, store, datetime.max)  # all that is stored
        of, entries = store.source, feature_entries(catalogue(settings.features, fitted))
    else:
        place = models.tracking(settings.tracking, workspace)
        registered = models.find_registered(place, settings.registered)
        of = f"{registered.name} version {registered.version}"
        entries = artifacts.read_document(place, registered.run_id, artifacts.CATALOGUE)
    if settings.out is not None:
        Path(settings.out).write_text(as_csv(entries), encoding="utf-8")
    return features_figures(of, entries, settings.out)


def forget(settings: ForgetSettings) -> Figures:
    """Return what was removed of a customer, of whom no file of the workspace tells any more."""
    from sintonia.data.privacy.erase import erase, sweep
    from sintonia.data.privacy.person import find_person
    from sintonia.data.privacy.search import plan_search, search_workspace

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
